"""The text index: it finds the events that may match a search for words, and the port checks each.

The index holds runs of ASCII letters and digits in lower case. A text that has a word in the sense of `TextSearch` has
the word's runs, too: whatever ends a word ends a run. Texts for which that is not certain are marked, and match every
search.
"""
