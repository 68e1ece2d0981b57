"""How servers word what is wrong: data, each with who says so."""

import re

CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient balance"}
CREDIT_WORDS = re.compile(
    r"credit balance is too low|insufficient (account )?(balance|credits?|funds)|balance is insufficient"
    r"|(all available|any|more) credits|account is in good standing|overdue (account|payment)|余额不足",
    re.IGNORECASE,
)
"""How Anthropic, DeepSeek, SiliconFlow, xAI, OpenRouter, DashScope and Zhipu say so, under any status."""

REFUSED = {
    "content_filter",
    "content_policy_violation",
    "image_content_policy_violation",
    "invalid_prompt",
    "bio_policy",
    "data_inspection_failed",
    "misalignment_policy_violation",
    "responsibleaipolicyviolation",
}
REFUSED_WORDS = re.compile(
    r"content exists risk|content.(management|moderation|filter|policy)|(usage|safety) polic|flagged"
    r"|inappropriate content|prohibited content|sensitive (words|content)|safety (system|setting|filter)"
    r"|敏感|不安全|违规|不合规",
    re.IGNORECASE,
)
"""How DeepSeek, Azure, OpenRouter, Qwen, Zhipu and Gemini refuse to answer this, where no code tells."""

TOO_LONG = {"context_length_exceeded", "exceed_context_size_error", "request_too_large", "string_above_max_length"}
TOO_LONG_WORDS = re.compile(
    r"context.(length|window|size)|(maximum|max) (context|model|prompt|input|sequence)"
    r"|maximum (allowed )?(length|number of (\w+ )?tokens)|range of input length|model token limit"
    r"|(prompt|input|inputs|request|message)s? (is |are )?(too long|too large|longer than|exceeds?)"
    r"|(token|input) (count|length)[^.]{0,40}exceed|too many (input )?tokens(?!, please wait)|context the overflows"
    r"|max_seq_len|tokens \+ .max_new_tokens|must have less than \d+ tokens|reduce the length"
    r"|上下文.{0,8}(长度|窗口)|(输入|提示词|内容|文本|prompt)[^。]{0,8}(超长|过长|太长)|kontext(länge|fenster|größe)",
    re.IGNORECASE,
)
"""How OpenAI, llama.cpp, vLLM, SGLang, TGI, Ollama, LM Studio, Mistral, xAI, DashScope, SiliconFlow and gateways say
that it is too long.
"""

ANSWER_WORDS = re.compile(
    r"(?<!\+ .)max(?:imum)?[_ ](?:(?:completion|output|new)_)?tokens\W{1,3}(?:for \S+ )?"
    r"(?:must be|should be|you requested exceeds?|\d+ > \d+|is too large(?!.{0,40}maximum context))",
    re.IGNORECASE,
)
"""How Groq, Anthropic, Bedrock, OpenAI and TGI say that it is the answer which may not be so long, not the request."""

TOO_LARGE_WORDS = re.compile(r"request (is )?too large", re.IGNORECASE)
"""How OpenAI says that one request is more than a minute's limit: it passes at no time. The rest of 429 does."""

SIZE_WORDS = re.compile(
    r"(?:maximum (?:allowed )?(?:context|model|prompt|input|sequence) (?:length|window|size)"
    r"|context (?:length|window|size)|max_model_len|max_seq_len|max_total_tokens|n_ctx|max size"
    r"|maximum number of tokens(?: allowed)?|tokens? limit|maximum of|limit(?:ed)? (?:of|to|is))"
    r"(?:(?!exceed)[^0-9]){0,32}?(\d[\d,]{2,9})\b"
    r"|(?:上下文.{0,8}(?:长度|窗口)|kontext(?:länge|fenster|größe))[^0-9]{0,16}?(\d{3,9})"
    r"|input length should be \[\d+, ?(\d{3,9})"
    r"|<= ?`?(\d{3,9})|less than (\d{3,9}) tokens|(\d{3,9}) maximum context|> ?(\d{3,9}) maximum",
    re.IGNORECASE,
)
"""Where such words name the size of the context, in tokens."""

SIZES = ("n_ctx", "max_model_len", "max_context_length", "context_length")
"""Keys under which a refusal may name it: llama.cpp, vLLM, Mistral, OpenRouter."""

OTHER_API_WORDS = re.compile(
    r"(only supported|not (accessible|supported|available)) (in|via|with|on) (the )?/?(v1/)?"
    r"(responses|chat/completions)",
    re.IGNORECASE,
)
"""How OpenAI and GitHub Copilot say that a model has but the other API, whatever the status."""

UNWANTED_WORDS = re.compile(
    r"unsupported|unknown|unrecogni[sz]ed|unexpected|not (supported|permitted|allowed|available)|extra|invalid"
    r"|must be verified|does not support|forbidden|no such|not implemented",
    re.IGNORECASE,
)
TEMPLATE_WORDS = re.compile(
    r"alternat|consecutive|successive|interleav|in a row|same role"
    r"|roles?\b.{0,40}\b(must|should|not supported|expected|invalid|unexpected|only)"
    r"|(only|unexpected|invalid|unknown|unsupported) .{0,40}roles?\b|(first|last) message|after (the|a) .{0,20}message"
    r"|(start|begin)s? with (a |the )?.?user|jinja|template (error|exception)"
    r"|(system|developer) (role|message|prompt|instruction)s?",
    re.IGNORECASE,
)
"""How chat templates refuse the order of messages, or who speaks them (vLLM, TGI, llama.cpp, SGLang, LM Studio), and
Bedrock and Gemini, who have none.
"""

OF_TEMPLATES = re.compile(r"\broles?\b|template|jinja|user/assistant|(user|assistant|system) messages?", re.IGNORECASE)
"""What such words are about, where they come as a server's failure, which may have other reasons."""

INSTRUCTIONS_WORDS = re.compile(r"system|developer", re.IGNORECASE)
"""How such a refusal names the role that has no place."""

LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""Our fields for the longest answer."""

EFFORT = ("reasoning", "reasoning_effort")
"""Our fields for how hard to think. A model may know but some of the words for that."""

SPELT = {
    "reasoning": r"\breasoning|\bthink(ing)?\b",
    "reasoning_effort": r"\breasoning[_ ]?effort\b|\bthink(ing)?\b",
    "stream": r"support\w*[^.]{0,30}\bstream|\bstream(ing)?\b.{0,20}(support|not )|verified to stream",
}
"""Fields that servers name in their own words: xAI, Ollama, Bedrock. A stream that fails is named by many."""

EFFORTS = re.compile(r"""['"`](none|default|minimal|low|medium|x?high|max)['"`]""")
"""How OpenAI, DeepSeek, Groq, vLLM and Cohere name how hard a model can think, or can't, where it knows the field."""

ECHOED = {"input", "messages", "prompt", "instructions", "ctx", "url", "flagged_input"}
"""Keys under which a server repeats what it was sent: people's words, which say nothing of what is wrong."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d{1,9}(?:\.\d+)?) ?(ms|[dhms])")
WAIT_WORDS = re.compile(rf"(?:try again|retry) (?:in|after) ((?:{DURATION.pattern})+)(?:econds?)?\b", re.IGNORECASE)
"""OpenAI says so in `response.failed` with rate_limit_exceeded, Azure and Gemini wherever there is no header."""
