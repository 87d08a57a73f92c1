"""Describe photos: ``python predict.py source=PATH [ckpt=PATH]`` (``--help`` lists everything)."""

from densecap.cli import main

if __name__ == "__main__":
    main("predict")
