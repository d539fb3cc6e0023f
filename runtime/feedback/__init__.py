"""Feedback: pictures and rows with their right label, kept for the next training."""
