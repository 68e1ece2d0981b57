"""Redaction: secrets that people let slip do not pass into what is remembered for good.

What enters a checkpoint enters every later prompt. So keys, tokens and passwords are taken out of what a model is shown
for one, and again out of what it writes. Only what has the look of a secret goes: no word of a language does.
"""

from re import IGNORECASE, VERBOSE, Match
from re import compile as pattern

REDACTED = "[redacted]"
"""What stands in the place of a secret."""

_WHOLE = pattern(
    r"""
    -----BEGIN\ [A-Z0-9 ]{0,40}PRIVATE\ KEY(?:\ BLOCK)?-----(?:[^-]|-(?!----))*+(?:-----END\ [A-Z0-9 ]{0,60}-----)?
    | (?<![A-Za-z0-9]) (?:
        sk-(?=[\w-]{0,200}\d)[\w-]{20,}                            # OpenAI, Anthropic and their like
        | xox[a-z]-(?=[\w-]{0,200}\d)[\w-]{10,} | xapp-\d[\w-]{10,}  # chat systems' bots and apps
        | gh[a-z]_[A-Za-z0-9]{30,} | github_pat_\w{22,} | glpat-[\w-]{20,}
        | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])          # Amazon
        | AIza[\w-]{35,} | ya29\.[\w-]{20,} | GOCSPX-[\w-]{20,}     # Google
        | [rs]k_(?:live|test)_\w{16,} | whsec_[\w+/=]{20,}         # Stripe
        | SG\.[\w-]{16,}\.[\w-]{16,} | hf_[A-Za-z0-9]{30,} | npm_[A-Za-z0-9]{36} | pypi-[\w-]{50,}
        | (?:(?<![\w-])eyJ[\w-]{8,}+|eyJ[\w-]{8,500}+)\.[\w-]{8,}(?:\.[\w-]*)?  # signed web tokens
        | [MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}                  # bots of chat systems, once more
        | \d{8,10}:AA[\w-]{33}
    )
    """,
    VERBOSE,
)
"""What is a secret by itself."""

_NAME = r"""
    (?: (?:pass(?:word|wd|wor[td]|phrase)|kennwort|mot[ ]de[ ]passe|contrase[ñn]a|wachtwoord|secret
          |(?:api|access|account|shared|private|signing|encryption|auth)[_ -]?(?:access[_ -]?)?(?:key|token)
          |credentials?)
      | (?<![a-z])(?:pass(?=\s?=)|pwd|senha|token|sig(?:nature)?)
      | (?-i:(?<=[a-z])Token)
    ) (?:[_-]?key)? ["'`*]{0,3}
"""
_VALUE = r"""(?:"[^"\n]{1,500}"|'[^'\n]{1,500}'|[^\s"'`<>&]{1,500})"""
_HARMLESS = r"""(?!["'`]?(?:\[redacted\]|[$<{*•(\[…]|\.\.\.|(?:none|null|nil|true|false|xxx+)\b|[\w.]{1,80}\())"""
_TELLING = r"""(?=["'`]?[^\s"'`]{0,80}[\d!@#$%^&+=])"""

_GUARDED = rf"""(?:["'][^"'\s]{{4,500}}["']|{_TELLING}[^\s"'<>]{{6,500}})"""

_NAMED = pattern(
    rf"""
    (?=[ackmpstwbh?&:]) (?: (?P<name> {_NAME} \s?=\s? ) {_HARMLESS} {_VALUE}
    | (?P<told> {_NAME} (?:\s?:|\ (?:is|ist|lautet|est|es|é|è)\b:?) \s{{1,2}} ) {_HARMLESS} {_GUARDED}
    | (?P<close> {_NAME} : ) {_HARMLESS} {_GUARDED}
    | (?P<scheme> (?<![A-Za-z])(?:bearer|basic)\ {{1,3}} ) (?=[\w.~+/=-]{{0,200}}\d) [\w.~+/=-]{{16,}}
    | (?P<header> (?<![A-Za-z])(?:proxy-)?authorization:\ {{0,3}}(?:[A-Za-z]{{1,20}}\ {{1,3}})? ) {_HARMLESS} {_TELLING}
        [^\s"'`]{{8,}}
    | (?P<cookie> (?<![A-Za-z])(?:set-)?cookie:\ {{0,3}} ) {_HARMLESS} (?=[^\n]{{0,200}}=) [^\n"'`]{{4,}}
    | (?P<hook> https?://(?:hooks\.[\w.-]{{1,100}}/(?:[a-z]{{1,20}}/)?+|[\w.-]{{1,100}}/api/(?:v\d+/)?webhooks/) )
        {_HARMLESS} [^\s<>|)\]"'`]{{8,}}
    | (?P<url> (?<=[a-z])://) {_HARMLESS}
        (?:[^\s/@:?\#]{{0,100}}:[^\s/]{{1,300}}|(?=[^\s/@]{{0,100}}\d)[^\s/@:?\#]{{20,300}}) (?=@)
    | (?P<query> [?&](?:sig|signature|x-amz-(?:signature|security-token|credential)
            |(?:access_|auth_|api_?)?(?:token|key)) = )
        {_HARMLESS} [^\s&\#<>|)"'`]{{8,}}
    )
    """,
    VERBOSE | IGNORECASE,
)
"""What is a secret by what stands before it, which stays."""


def redacted(text: str) -> str:
    """The text with `[redacted]` in the place of every secret; without one it is the same text.

    Takes time that grows with the length alone: about five microseconds a character at the worst.
    """
    return _NAMED.sub(_spared, _WHOLE.sub(REDACTED, text))


def _spared(found: Match[str]) -> str:
    return f"{found[found.lastgroup or 0]}{REDACTED}"
