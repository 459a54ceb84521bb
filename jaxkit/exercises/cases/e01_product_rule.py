from jaxkit.exercises.cases import Random, call

HINTS = (
    "Which of the two factors changes? And in how many places does y stand in f?",
    "Both factors change: (u v)' has two terms. In f, x*x is such a product, and y "
    "occurs twice: each occurrence adds its part to df/dy.",
    "(u v)' = u' v + u v'. By x, y is a number like any other: (x*x)' y is left. By y, "
    "x*x is one, and the second y adds 1.",
)


def cases():
    random = Random()
    return [
        call("product_derivative", 3.0, 1.0, 4.0, 0.0),
        call("product_derivative", 3.0, 1.0, 4.0, 2.0),
        call("product_derivative", 0.0, 1.0, 0.0, 1.0),
        *[call("product_derivative", *random.numbers(4)) for _ in range(3)],
        call("partials", 3.0, 4.0),
        call("partials", 0.0, 0.0),
        *[call("partials", *random.numbers(2)) for _ in range(3)],
    ]
