"""``python -m densecap COMMAND [WORD] [key=value ...]``."""

from densecap.cli import console

if __name__ == "__main__":
    console()
