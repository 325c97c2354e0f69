"""Regions: how far the card is in use, and local platforms that move to the one model."""
