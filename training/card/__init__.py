"""The card of weights: a page of Markdown beside them, made wholly from what the export measured."""
