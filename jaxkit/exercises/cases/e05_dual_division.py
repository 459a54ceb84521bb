from jaxkit.exercises.cases import Random, call

HINTS = (
    "What is (b + db ε)(b - db ε)? The same trick makes a complex quotient's "
    "denominator real.",
    "(a + da ε)(b - db ε) = a b + (da b - a db) ε: mind the minus sign, and divide both "
    "parts by b * b.",
    "The value is a / b, as with numbers; the ε part is the quotient rule of school.",
)


def cases():
    random = Random()
    return [
        call("divide", 3.0, 4.0, 5.0, 7.0),
        call("divide", 1.0, 0.0, 2.0, 1.0),
        call("divide", 0.0, 1.0, -2.0, 0.0),
        *[call("divide", *random.numbers(4)) for _ in range(4)],
    ]
