"""Reading the weights in Caffe's protocol buffers (``.caffemodel``) without Caffe."""
