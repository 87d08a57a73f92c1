"""Dense captioning mAP: are the right places found, and described in the right words?

For each of five overlaps (IoU .3 to .7) and six language scores (METEOR above 0 to .25) the average precision of the
described boxes of a whole split, ranked by score; the mean of the 30 is the figure of Johnson, Karpathy and Fei-Fei
(2016). ``evaluation.score_dense_captions`` is the way in.
"""
