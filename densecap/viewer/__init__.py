"""The viewer: a page over files of predictions, served from memory or exported as a folder for any web server.

The page is plain HTML, CSS and JavaScript in ``static/`` and reads its data through script elements, so that an
exported folder opens from a disk too. Its files are

=======================  ==============================================================================================
index.html, *.css, *.js  the page itself
data/index.js            the models, and a row for each image (``densecap.viewer.data_files`` says what is in it)
data/chunk-NNNN.js       regions of the next hundred images, loaded when one of them is shown or searched
images/NNNNNN.jpg        the photos, by their row
thumbnails/NNNNNN.jpg    the same, small
=======================  ==============================================================================================
"""

from densecap.viewer.export import export_viewer

__all__ = ["export_viewer"]
