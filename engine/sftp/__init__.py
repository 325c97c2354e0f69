"""Where SFTP ends: a bank's files and its inbox, as one tree that only this bank sees."""
