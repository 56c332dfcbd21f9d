"""This room says nothing of its own: a voucher that is given or redeemed is a payment in a unit of its issuer."""
