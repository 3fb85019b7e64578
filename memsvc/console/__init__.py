"""The page for people at `/console`: static files that ask the routes of the service with the visitor's own key."""
