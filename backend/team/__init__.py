"""Who works with this installation: users, sessions, invitations, and what was changed by whom."""
