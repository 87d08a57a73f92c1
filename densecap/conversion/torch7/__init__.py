"""Reading the binary files of Torch7 (``torch.save``) without Torch7, and without running anything in them."""
