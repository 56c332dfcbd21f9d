"""Why there is no preview of a link. It is no fault of what a person does: the message goes without."""


class Unseen(Exception):
    """Nothing can be said of a page. Its text completes a sentence that begins with "No preview:"."""
