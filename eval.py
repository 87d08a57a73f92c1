"""Score a model or predictions: ``python eval.py ckpt=PATH data=NAME split=test`` (``--help`` lists everything)."""

from densecap.cli import main

if __name__ == "__main__":
    main("eval")
