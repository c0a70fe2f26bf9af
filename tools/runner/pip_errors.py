"""What a failed installation means, in words that say what to do."""

__all__ = ["explain"]

_MEANINGS = (
    (
        ("CERTIFICATE_VERIFY_FAILED", "SSLError", "SSLCertVerificationError"),
        "The package index shows a certificate this Python does not trust. PIP_CERT=/path/to/ca.pem names a private authority.",
    ),
    (
        ("No space left on device", "Errno 28", "not enough space"),
        "The disk is full. The environment takes about 600 MB; free some space and call again.",
    ),
    (
        ("do not match the hashes", "THESE PACKAGES DO NOT MATCH"),
        "A file from the index is not the one that was locked. A mirror that repacks does this; PIP_INDEX_URL names another.",
    ),
    (
        ("NewConnectionError", "Name or service not known", "name resolution", "ConnectTimeout", "ProxyError", "timed out"),
        "The package index cannot be reached. Set HTTPS_PROXY for a proxy, or PIP_INDEX_URL for a mirror.",
    ),
    (
        ("No matching distribution found", "Could not find a version"),
        "The index has no such package for this Python and machine. Python 3.11 to 3.13 on 64 bits have all; a mirror may lag.",
    ),
    (
        ("error: command", "Failed building wheel", "metadata-generation-failed", "Microsoft Visual C++"),
        "A package has no wheel for this Python and machine and does not compile. Python 3.11 to 3.13 on 64 bits have all.",
    ),
    (("Permission denied", "Errno 13", "Access is denied"), "The folder is not yours to write in. Use a checkout of your own."),
)


def explain(output: str) -> str:
    """The likely meaning of what the installer printed, or where to look when it is none of the known ones."""
    for signs, meaning in _MEANINGS:
        if any(sign in output for sign in signs):
            return meaning
    return "`python3 run.py doctor` looks for what is missing."
