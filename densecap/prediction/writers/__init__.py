"""Writing predictions: the schema, field by field.

``predictions.json`` is one object (version 1):

    version                 int     raised whenever a field goes or changes its meaning; new fields do not raise it
    complete                bool    false when the run was interrupted: the images not reached are missing
    model.checkpoint        str     path of the checkpoint
    model.sha256            str     SHA-256 of that file, hexadecimal
    model.name              str     class of the model and of its parts, as "DenseCaptioner (VGG16, LSTMDecoder)"
    model.trained_on        str     name of the data set
    model.vocabulary        str[]   the words it can say
    model.config            object  image_size, vocabulary_size, the detection and generation settings used, and where
                                    they were asked for precision, those of rerank that chose the captions, and the
                                    file of boxes
    box_format              str     always "xyxy, original pixels"
    images[]                object  one for every picture that could be read, in the order of the source
      .image_id             str     distinct within the file: the file's name without suffix, longer where two share it
      .file                 str     path as found from the source (relative to the folder of the run, or absolute), or
                                    the address
      .width, .height       int     size of the picture as displayed, in pixels: its EXIF orientation is applied
      .frame, .seconds      int, float  only of a video or stream: which picture of it, from 0, and when
      .regions[]            object  best score first; of given boxes in their order
        .box                float[4] x1, y1, x2, y2 in pixels of that size, continuous: the left edge of the picture
                                    is 0, its right edge is width
        .score              float   probability (0 to 1) that the box is a region worth a caption
        .caption            str     the words, separated by blanks
        .log_prob           float   natural log probability of the caption, summed over its words and its end
        .token_log_probs    float[] the terms of log_prob: one for each word of the caption, and one for its end unless
                                    the caption was cut at generation.max_length; only with generation.num_captions > 1
        .captions[]         object  only with generation.num_captions > 1: what was generated, at most so many, best
                                    first, each with caption, log_prob and token_log_probs as above
    errors[]                object  file and reason (str, as "is empty") of every file that could not be read
    timing.images           int     pictures described by the run that wrote the file
    timing.earlier          int     only where that run went on with an earlier one: pictures described before
    timing.seconds          float   from the first file to the last, without loading the model
    timing.images_per_second float
    timing.stages           object  seconds of load (the model), decode (summed over threads that run beside the rest),
                                    caption, draw (summed over threads beside the rest) and write

``predictions.jsonl`` holds the objects of ``images`` one on each line, each with ``version`` in front; an interrupted
run leaves fewer lines. ``predictions.csv`` has one row for each region under the header ``CSV_COLUMNS``; region counts
from 0 within its image, a picture without regions has no row, and of several captions only ``caption`` is there.

``coco_captions.json`` are COCO's results of captioning, [{"image_id", "caption"}, ...], as its evaluation server takes
them: an entry an image, with the caption of its best region, which is the image's own where a model describes whole
images. Of COCO's photos image_id is the number in the file's name; of others it is ``image_id``, as text.

``densecap/results.json`` and ``crops/crops.csv`` are explained where they are written (``densecap2016``,
``crop_table``); pictures lie beside them.

All are UTF-8. Files are written under a temporary name and renamed at the end, so a file of that name is whole.
"""

from __future__ import annotations

from densecap.prediction.writers.coco import CocoWriter
from densecap.prediction.writers.formats import (
    FORMATS,
    TEXT_FORMATS,
    check_formats,
    file_name,
    open_writers,
    place_of,
)
from densecap.prediction.writers.own import (
    BOX_FORMAT,
    CSV_COLUMNS,
    CsvWriter,
    JsonLinesWriter,
    JsonWriter,
    read_predictions,
)
from densecap.prediction.writers.text import TextOutput, Writer, only_stdout

__all__ = [
    "BOX_FORMAT",
    "CSV_COLUMNS",
    "FORMATS",
    "TEXT_FORMATS",
    "CocoWriter",
    "CsvWriter",
    "JsonLinesWriter",
    "JsonWriter",
    "TextOutput",
    "Writer",
    "check_formats",
    "file_name",
    "only_stdout",
    "open_writers",
    "place_of",
    "read_predictions",
]
