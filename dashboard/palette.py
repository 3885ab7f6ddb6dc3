"""The dashboard's colours, in one place: told apart by the colour-blind, readable on light and on dark ground.

Nothing is said by colour alone: a state is a word, an alert is a shape, a line has a name.
"""

UP, DOWN, ACCENT, MUTED, ALARM, WARNING = "#2a9d8f", "#e07a3f", "#3b82c4", "#8d99a6", "#d1495b", "#e0a030"
LINES = (ACCENT, WARNING, UP, "#a06cd5", ALARM, "#7f8c5a", "#5aa9c4", "#b07d62")

# Grounds of the words for states.
URGENT, ALERTING, SILENT, LEARNING, QUIET = "#b3303f", WARNING, "#8d99a6", "#5aa0dc", "#b9d8d4"

# Calm is blue, usual is grey, agitated is orange to red: the middle vanishes on either ground.
CALM_TO_AGITATED = (
    (0.0, "#2f6ca8"),
    (0.35, "#8fb4d6"),
    (0.5, "#a3adb8"),
    (0.65, "#e0a030"),
    (0.85, "#d1495b"),
    (1.0, "#8f1d2c"),
)


def faint(colour: str, share: float) -> str:
    """Return a colour that lets through all but a share of what lies below it."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"
