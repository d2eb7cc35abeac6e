"""The Responses API of model providers: what is asked, and what streams back."""
