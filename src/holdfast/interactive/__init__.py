"""Quizzes and rituals: their definitions in versions, and runs of them, of which only aggregates are kept."""
