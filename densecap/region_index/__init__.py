"""A folder of photos described once, so that images and regions in them can be found by words."""
