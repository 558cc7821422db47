"""How text becomes tokens inside a model: lower case, and anything but letters and digits separates.

Keras' own standardization deletes punctuation, which turns every link into a word of its own that no other
text holds. The function is registered, so that a saved model loads in safe mode wherever this module is
imported; `vocabulary.py` cuts text the same way in Spark.
"""

import keras
import tensorflow as tf

from dp_spark.end_model.settings import WORD_SEPARATORS


@keras.saving.register_keras_serializable(package="dp_spark")  # type: ignore[untyped-decorator] # no types
def separate_words(text: tf.Tensor) -> tf.Tensor:
    """The text in lower case, its letters and digits only, with single spaces between words."""
    return tf.strings.regex_replace(tf.strings.lower(text, encoding="utf-8"), WORD_SEPARATORS, " ")
