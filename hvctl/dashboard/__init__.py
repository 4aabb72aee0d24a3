"""One page to look at: what the history knows, over HTTP, read only. No host is ever asked."""
