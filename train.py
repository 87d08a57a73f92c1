"""Train a captioner: ``python train.py model=densecap_vgg16 trainer.devices=4`` (``--help`` lists everything)."""

from densecap.cli import main

if __name__ == "__main__":
    main("train")
