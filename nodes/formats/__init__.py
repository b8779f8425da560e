"""Readers and writers of the text formats that nodes handle. Pure: text in, plain JSON values out."""
