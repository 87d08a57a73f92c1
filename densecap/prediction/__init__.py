"""From a person's photos to files with described boxes: finding the pictures, writing the results, drawing them."""
