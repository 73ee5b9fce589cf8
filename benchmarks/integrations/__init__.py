"""The stores of integrations against those that their frameworks ship, in one run."""
