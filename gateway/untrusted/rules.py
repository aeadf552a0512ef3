"""What instructions to a model look like within a text, as rules of a linear-time regular expression each.

A blank in a phrase stands for whatever may stand between two words, `@` for the rest of a word. The phrases are tuned
to what business texts say every day ("please ignore my previous order"), see `tests/gateway/untrusted`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

_GAP = r"(?:\\[nrtbf]|[\x{09}-\x{0D} !-/:-@\[-`{-~\x{A0}-\x{BF}\x{2000}-\x{206F}\x{3000}-\x{3003}])+"
"""Between two words; a line break may be written `\\n`, as in JSON."""
_REST = r"[a-z'\x{C0}-\x{1FFF}\x{3040}-\x{D7FF}]*"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to look for. `id` is what reports and metrics call it, `pattern` a regular expression in the syntax of
    Rust's `regex`, which needs time in proportion to the text and knows no lookaround."""

    id: str
    pattern: str


def _phrases(*phrases: str) -> str:
    return "(?i:" + "|".join(each.replace("@", _REST).replace(" ", _GAP) for each in phrases) + ")"


def _start(phrases: Iterable[str]) -> list[str]:
    """Phrases whose first word must begin there."""
    return [rf"(?:^|\\[nrtbf]|[^a-z]){each}" for each in phrases]


# ── to set aside what the model was told ─────────────────────────────────────────────────────────────────────

_IGNORE = "(?:ignore|disregard|forget|override|bypass|circumvent|neglect|do not follow|don'?t follow|stop following)"
_TOLD = "(?:instructions|prompts|directives|guidelines|guardrails|commands|rules|programming|training)"
_BEFORE = "(?:previous|prior|above|earlier|preceding|former|existing|original|initial|past|foregoing)"
_ENGLISH = (
    f"{_IGNORE}(?: (?:all|any|every|of|the|your|these|those|my|our|other)){{0,4}} {_BEFORE} {_TOLD}",
    f"{_IGNORE}(?: (?:all|any|every|of|the))? (?:your|all|any)(?: (?:of|the|safety|content|security"
    f"|own)){{0,2}} {_TOLD}",
    f"{_IGNORE}(?: (?:your|the))? system prompt",
    "forget (?:everything|all|whatever|anything)(?: that)? (?:you|i) (?:were|was|have|had|know|ha)@",
    "system prompt override",
    "system override:",
    "new system (?:prompt|instructions)",
    "your (?:new|real|actual|true) (?:instructions|goal|task|purpose) (?:is|are)",
    "i g n o r e(?: [a-z]){3}",
    "(?:reveal|print|repeat|show|output|display|tell|leak|dump|give|expose)(?: [a-z]{1,10}){0,4}"
    " (?:your|the|its) (?:entire |full |whole )?(?:system prompt|(?:initial|hidden|secret|original) "
    "(?:instructions|prompt))",
    "what (?:is|are) your (?:system prompt|(?:initial |hidden |secret )?instructions)",
)
_OTHERS = (
    # German, Dutch
    "(?:ignorier|vergiss|vergesse|missacht|übergeh)@(?: sie)?(?: bitte)?(?: [a-z]{2,10}){0,3}"
    " (?:vorherig|bisherig|vorangegangen|vorausgegangen|obig|deine|früher)@"
    " (?:anweisung|instruktion|befehl|vorgabe|regel)@",
    "vergiss alles was (?:dir|man dir|du)",
    "(?:ignorier|vergiss)@ alle(?: deine| ihre)? (?:anweisung|instruktion|regel)@",
    "(?:negeer|vergeet)(?: alle)? (?:voorgaande|vorige|eerdere|bovenstaande|je)"
    " (?:instructies|aanwijzingen|opdrachten)",
    "system-?prompt (?:aus|preis|an)",
    # French, Spanish, Italian, Portuguese
    "(?:ignor|oubli|néglig)@ (?:toutes )?(?:les |ces )(?:instructions|consignes|directives|règles)"
    " (?:précédent|antérieur|ci)@",
    "(?:ignor|oubli|néglig)@ (?:toutes )?(?:tes|vos) (?:instructions|consignes|directives|règles)",
    "prompt système",
    "(?:ignor|olvid)@ (?:todas )?(?:las |estas )(?:instrucciones|indicaciones|reglas|órdenes) (?:anterior|previa)@",
    "(?:ignor|olvid)@ (?:todas )?(?:tus|sus) (?:instrucciones|indicaciones|reglas|órdenes)",
    "(?:ignor|dimentic)@ (?:tutte )?(?:le |queste )(?:tue )?(?:istruzioni|indicazioni|regole)(?: precedenti| sopra)",
    "(?:ignor|dimentic)@ (?:tutte )?le tue (?:istruzioni|regole)",
    "(?:ignor|esque)@ (?:todas )?(?:as )?(?:suas )?(?:instruções|orientações|regras) (?:anteriores|acima|prévias)",
    # Polish, Russian, Turkish
    "(?:z?ignoruj|zapomnij)@ (?:o )?(?:wszystki@ )?(?:poprzedni|wcześniejsz|swo)@ (?:instrukcj|poleceni)@",
    "(?:игнорируй|проигнорируй|забудь)@ (?:все )?(?:предыдущи|прежни|свои)@ (?:инструкци|указани|команд)@",
    "(?:önceki|yukarıdaki) (?:tüm )?(?:talimat|komut)@ (?:yok say|görmezden|unut|dikkate alma)@",
    "tüm (?:önceki )?talimat@ (?:yok say|unut)@",
    # Japanese, Chinese, Korean, Arabic, Hebrew, Hindi
    "(?:以前|これまで|前|上記|今まで)の(?:すべての|全ての)?(?:指示|命令|プロンプト)を?(?:すべて|全て)?(?:は)?(?:無視|忘れ)",
    "(?:忽略|无视|無視|忘记|忘記)(?:之前|以上|前面|上面|先前|所有|你)[的所有一切]{0,6}(?:指令|指示|提示|说明|命令)",
    "(?:系统|系統)提示词",
    "(?:이전|위|앞)의? ?(?:모든 )?(?:지시|명령|지침)@ (?:모두 )?(?:무시|잊)@",
    "(?:تجاهل|انس) (?:جميع |كل )?(?:التعليمات|الأوامر|الإرشادات) (?:السابقة|أعلاه)",
    "(?:התעלם|תתעלם|שכח)@ (?:מכל |את כל )?(?:ה?הוראות|ה?הנחיות) (?:ה?קודמות|לעיל)",
    "(?:पिछले|पूर्व|उपरोक्त) (?:सभी )?(?:निर्देशों|आदेशों) (?:को )?(?:अनदेखा|नज़रअंदाज़|भूल)@",
)

# ── to be somebody else, addressed as a model, in secret ─────────────────────────────────────────────────────

_MODEL = "(?:ai|a\\.i\\.|llm|large language model|language model|chatgpt|gpt|claude|gemini|copilot|chatbot)"
_ROLE = (
    "you are (?:now|no longer|actually|from now on)"
    f" (?:an? |the |my )?(?:[a-z]{{3,12}} )?(?:dan|{_MODEL}|assistant|unrestricted|jailbroken)",
    f"from now on,? you are (?:an? |the )?(?:dan|{_MODEL})",
    "you are now in (?:developer|debug|god|admin|jailbreak|unrestricted) mode",
    "(?:act|behave|respond|pretend|roleplay)@ (?:as|to be|like)"
    f" (?:an? |the )?(?:[a-z]{{3,12}} ){{0,2}}(?:dan|{_MODEL}|unrestricted|jailbroken)",
    "(?:du bist|sie sind) (?:jetzt|nun|ab sofort) (?:eine? )?(?:ki|ai|sprachmodell|assistent ohne)",
    "tu es (?:maintenant|désormais) une? (?:ia|assistant sans|modèle)",
    "(?:ahora|desde ahora) eres una? (?:ia|asistente sin|modelo)",
    "(?:ora|adesso) sei un@ (?:ia|intelligenza)",
)
_ADDRESSED = (
    "(?:note|attention|message|instructions?|notice|warning|reminder) (?:to|for)"
    f" (?:the |any |all |an? |every )?{_MODEL}",
    f"attention {_MODEL} (?:agent|assistant|model)s?",
    f"(?:dear|hey|hello|hi) {_MODEL}",
    f"if you are (?:an? )?{_MODEL}",
    f"(?:any|all|every) {_MODEL}(?: (?:agent|assistant|model|system)s?)? (?:reading|processing|that reads|summari)@",
    f"{_MODEL} (?:agents?|assistants?|models?) (?:reading|processing|must|should|that read)",
    "the (?:ai )?assistant (?:must|should|shall) (?:also |now |first )?(?:call|invoke|send|use)",
    "(?:hinweis|anweisung|nachricht|achtung)@ (?:an|für) (?:die|eine|jede|das) (?:ki|ai|sprachmodell)",
)
_SECRET = (
    "(?:do not|don'?t|never|must not|without) (?:tell|mention|inform|reveal|notify|alert|disclos|show)@"
    "(?: [a-z]{2,12}){0,3} the user",
    "(?:sag|verrat|erzähl|teil)@ (?:dem|der|den) (?:benutzer|nutzer|user|anwender)@ (?:nichts|nicht|davon)",
    "ne (?:dis|dites|révèle|mentionne)@ (?:rien |pas )?(?:cela )?à l'?utilisateur",
    "no (?:se )?(?:lo )?(?:digas|diga|menciones|reveles)@ (?:nada )?al usuario",
    "non dire (?:nulla |niente )?all'?utente",
)

# ── to act ───────────────────────────────────────────────────────────────────────────────────────────────────

_TOOL = r"[a-z][a-z0-9]{1,30}(?:_[a-z0-9]{1,30}){1,5}"
_DO = "(?:call|invoke|execute|run|use|trigger)(?:ing)?"
_ACT = (
    f"{_DO} (?:the |this )?(?:mcp )?(?:tool|function)s? {_TOOL}",
    f"{_DO} (?:the |this )?{_TOOL} (?:tool|function)",
    f"(?:must|should|shall|now|please|also) (?:also |now )?(?:call|invoke) {_TOOL}",
    "(?:execute|make|perform|run|your) (?:the )?(?:following|next) tool calls?",
    "before (?:using|calling|you use) (?:this|any|the) tool",
)
_LEAK = (
    "(?:send|forward|post|upload|transmit|exfiltrate|leak|copy)(?: [a-z]{1,12}){0,6}"
    " (?:conversation|chat history|data|credentials|secrets|api keys?|passwords|tokens|customer list|context)"
    "(?: [a-z]{1,12}){0,4} https?://",
    "exfiltrat@",
    "(?:the user|your)(?:'s)? (?:api keys?|credentials|ssh keys?|access tokens?) (?:in|to|with|and)",
    "(?:read|open|cat|include|print|send) (?:the )?(?:file )?[`'\"]?(?:/etc/passwd|/etc/shadow|~/\\.ssh|~/\\.aws)",
)

# ── what only machines write ─────────────────────────────────────────────────────────────────────────────────

_MARKER = "|".join(
    (
        r"<\|[a-zA-Z_]{3,24}\|>",
        r"\[/?INST\]",
        r"<{2}/?SYS>{2}",
        r"<(?:start|end)_of_turn>",
        r"</?(?:antml:)?(?:tool_calls?|tool_use|tool_result|function_calls?|function_results?|invoke)(?:>|\s)",
        r"<(?i:important)>(?:\s|\\n)*(?i:before|do|you|this|ignore|never|always|when)",
        r"(?i:<system>|\[system\])(?:\s|\\n)*(?i:you|ignore|new|the user|the assistant|call|override)",
        r"(?:^|\n|\\n|\"|[.!?] )#{2,4} ?(?i:instructions?|system|system prompt) ?:",
        r"(?:\n\n|\\n\\n|^)(?i:human|assistant): .{0,200}(?:\n\n|\\n\\n)(?i:human|assistant):",
    )
)
_HIDDEN = "|".join(
    (
        # Tags, but for the flags of England and its neighbours, which have six at most.
        r"(?:^|[^\x{1F3F4}\x{E0020}-\x{E007F}])[\x{E0001}-\x{E007F}]",
        r"[\x{E0020}-\x{E007F}]{8}",
        # One direction is turned over another; what address books write around numbers is U+202A and U+202D.
        r"\x{202E}",
        r"[\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]{3}",
        r"[\x{200B}-\x{200D}\x{2060}\x{FEFF}\x{180E}]{4}",
        r"[\x{2061}-\x{2064}\x{206A}-\x{206F}]",
        r"(?:\p{Latin}{1,12}[\x{200B}\x{2060}\x{FEFF}\x{00AD}\x{200C}\x{200D}]"
        r" ?){3}\p{Latin}{0,3}[\x{200B}\x{2060}\x{FEFF}]",
        r"(?:\p{Latin}{1,12} ?\p{Latin}{0,12}[\x{200B}\x{2060}\x{FEFF}]){3}",
    )
)
_LINK = "|".join(
    (
        r"\]\((?i:data|javascript|vbscript):",
        r"!\[[^\]]{0,200}\]\(https?://[^)\s]{1,300}[?&](?i:q|d|c|data|query|prompt|text|msg|message|content"
        r"|secret|token|s)=",
        r"!\[[^\]]{0,200}\]\(https?://[^)]{1,300}(?:\{\{|\{[a-z]|=\[|%7[Bb]|\$\{)",
    )
)


def _in_base64(*texts: str) -> str:
    """What these texts look like in the middle of base64, at each of its three alignments."""
    found = []
    for text in (each for one in texts for each in (one, one.capitalize(), one.upper())):
        for before in range(3):
            encoded = b64encode(b"\0" * before + text.encode()).decode().rstrip("=")
            found.append(encoded[(0, 2, 3)[before] : len(encoded) - (1 if (before + len(text)) % 3 else 0)])
    return "|".join(each.replace("+", r"\+") for each in dict.fromkeys(found))


BUILT_IN = (
    Rule("override", _phrases(*_start(_ENGLISH), *_OTHERS)),
    Rule("role", _phrases(*_start(_ROLE))),
    Rule("addressed", _phrases(*_start(_ADDRESSED))),
    Rule("secrecy", _phrases(*_start(_SECRET))),
    Rule("tool", _phrases(*_start(_ACT))),
    Rule("leak", _phrases(*_start(_LEAK))),
    Rule("marker", _MARKER),
    Rule("hidden", _HIDDEN),
    Rule("link", _LINK),
    Rule("encoded", _in_base64("previous instructions", "system prompt", "your instructions")),
)
"""The rules that every workspace has."""
