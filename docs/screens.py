"""The gallery's pictures: `python docs/screens.py FOLDER`, where the site was built."""

import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

DESK, PHONE = (1280, 720), (390, 844)
# A page, its size, and the keys that are pressed.
SCREENS = [
    ("notebook", DESK, ["Home", *["ArrowRight"] * 10, *"nn"]),
    ("newton", DESK, [*"nnonnn"]),
    ("notebook", PHONE, ["Home", *["ArrowRight"] * 10, *"nn"]),
    ("nan", PHONE, []),
]


def main(site: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, (width, height), keys in SCREENS:
            tab = browser.new_page(viewport={"width": width, "height": height})
            tab.goto((site / "explained" / f"{name}.html").resolve().as_uri())
            for key in keys:
                tab.keyboard.press(key)
            path = Path(__file__).parent / "screens" / f"{name}-{width}.png"
            tab.screenshot(path=path)
            Image.open(path).quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
