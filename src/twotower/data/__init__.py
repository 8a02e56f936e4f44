"""Sources and format readers. After this room there is one canonical corpus, whatever it came from.

Nothing here imports torch.
"""
