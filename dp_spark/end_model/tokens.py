"""How text becomes tokens inside a model: words in lower case, and every other character for itself.

Keras' own standardization deletes punctuation, which turns every link into a word of its own that no other
text holds. The function is registered, so that a saved model loads in safe mode wherever this module is
imported; `vocabulary.py` cuts text the same way in Spark.
"""

import keras
import tensorflow as tf

from dp_spark.end_model.input_spec import OTHER_CHARACTER, WHITE_SPACE


@keras.saving.register_keras_serializable(package="dp_spark")  # type: ignore[untyped-decorator] # no types
def separate_tokens(text: tf.Tensor) -> tf.Tensor:
    """The text in lower case, with spaces, and nothing but spaces, between its tokens."""
    lowered = tf.strings.lower(text, encoding="utf-8")
    spaced = tf.strings.regex_replace(lowered, WHITE_SPACE, " ")
    return tf.strings.regex_replace(spaced, OTHER_CHARACTER, r" \1 ")
