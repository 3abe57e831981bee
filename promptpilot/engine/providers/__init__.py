"""Model providers: one module per wire format, behind the protocol in base."""
