"""Sums of tokens and money: groups, periods, prices."""
