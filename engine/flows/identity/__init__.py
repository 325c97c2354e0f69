"""Who somebody is: verified by what they know, let in by what they show, and certified as still entitled."""
