"""How instructions to a reader of memories are worded, as patterns over folded text (see `readings`).

Each has words of which one of every group must be there at all: looking for those is a hundredth of the work. Every
repetition is bounded, so that a pattern takes time linear in the text.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """A way to tell a reader to do something.

    Attributes:
        anchors: groups of beginnings of words, joined by `|`.
        pattern: over folded text.
    """

    anchors: tuple[str, ...]
    pattern: str


_GAP = r"(?:[^\w.!?]+\w+){0,5}?[^\w.!?]+"  # some words of the same sentence
_OLD = (
    r"(?:previous|prior|above|earlier|preceding|former|foregoing|existing|original|initial|system|your"
    r"|all|any|other)"
)
_RULES = (
    r"(?:instructions?|directives?|guidelines?|rules|prompts?|policies|policy|constraints|restrictions|safeguards"
    r"|programming|commands?|guardrails|orders|training)"
)
_DROP = (
    r"(?:ignore|disregard|forget|override|overrule|bypass|neglect|set aside|throw away|discard|do not follow"
    r"|stop following|abandon)"
)
_WHO = r"(?:the )?(?:user|users|human|humans|owner|operator|customer|anyone|anybody|them|him|her|developers?|admins?)"
_SECRETS = (
    r"(?:api[ _-]?keys?|passwords?|credentials|secrets?|access tokens?|tokens|private keys?|ssh keys?"
    r"|system prompt"
    r"|conversation(?: history)?|chat history|memor(?:y|ies)|personal (?:data|information)|environment variables"
    r"|cookies|\.env|card numbers?|contents? of)"
)
_CHECKS = (
    r"(?:verification|validation|confirmation|approval|authorization|authorisation|authentication|permission"
    r"|review|safety|security|sanity|consent|sandbox(?:ing)?)(?: (?:checks?|steps?|prompts?|reviews?|process))?"
)
_TOOLS = (
    r"(?:tools?|apis?|plugins?|functions?|services?|endpoints?|connectors?|commands?|vendors?|providers?|brands?"
    r"|products?)"
)
_AGENT = r"(?:you|assistant|agent|model|ai|chatbot|bot|llm)"

WORDINGS = (
    # what was said before does not hold any more
    Wording(
        (
            "ignor|disregard|forget|overrid|overrul|bypass|neglect|set aside|throw away|discard|do not follow|"
            "stop following|abandon",
            "instruction|directive|guideline|rule|prompt|polic|constraint|restriction|safeguard|programming|"
            "command|guardrail|order|training",
        ),
        rf"\b{_DROP}\b{_GAP}?(?:{_OLD}[^\w.!?]+(?:\w+[^\w.!?]+){{0,3}}?){_RULES}\b",
    ),
    Wording(
        (
            "ignor|disregard|forget|overrid|overrul|bypass|neglect|set aside|throw away|discard|do not follow|"
            "stop following|abandon",
            "all|everything|anything",
            "above|before|previous|prior|earlier|so far",
        ),
        rf"\b{_DROP}\b[^\w.!?]+(?:all|everything|anything)[^\w.!?]+(?:\w+[^\w.!?]+){{0,3}}?(?:above|before"
        rf"|previously"
        rf"|prior|earlier|so far)\b",
    ),
    Wording(
        (
            "new",
            "instruction|directive|guideline|rule|prompt|polic|constraint|restriction|safeguard|programming|"
            "command|guardrail|order|training",
            "follow|:|are",
        ),
        rf"\bnew {_RULES}(?: for {_AGENT})?\s*(?:follow|:)",
    ),
    Wording(
        ("your new|your real|your true|your actual",),
        rf"\byour (?:new|real|true|actual) (?:{_RULES}|task|objective|identity|mission)\b",
    ),
    Wording(
        (
            "void|obsolete|cancel|superseded|revoked|null|invalid|no longer",
            "instruction|directive|guideline|rule|prompt|polic|constraint|restriction|safeguard|programming|"
            "command|guardrail|order|training",
            "previous|prior|above|earlier|other",
        ),
        rf"\b(?:the )?(?:previous|prior|above|earlier|other) {_RULES} (?:are|were|is|was) (?:now )?(?:void"
        rf"|obsolete"
        rf"|cancell?ed|superseded|revoked|null|invalid|no longer)",
    ),
    # who speaks
    Wording(
        (
            ":|>|]",
            "system|admin|developer|root|operator|security team|it department|anthropic|openai|google|microsoft",
            "must|always|never|ignore|disregard|grant|allow|approve|execute|run|disable|from now|all agents|"
            "assistant|effective|treat|trust|comply|you ",
        ),
        r"(?:^|[\n.!?>\]*#\"'] ?|\b)(?:\[|<|\{|\*\*|#+ ?|- )?(?:system|admin(?:istrator)?|developer|root|operator"
        r"|security team|it department|anthropic|openai|google|microsoft) ?(?:message|notice|override|update"
        r"|prompt"
        r"|instructions?|directive|alert|mode|command|policy|admin)?(?:\]|>|\}|\*\*)? ?[:>\]] ?"
        r"(?:\w+[^\w.!?]+){0,12}?"
        r"(?:you (?:must|should|are|will|now|may)|must (?:now )?|always|never|ignore|disregard|grant|allow"
        r"|approve"
        r"|execute|run|disable|from now on|all agents|the assistant|effective immediately|treat|trust|comply)\b",
    ),
    Wording(
        ("<||inst]|<<sys|<</sys|<sys|</sys|<admin|</admin|<developer|</developer|[system|[admin|[developer|###",),
        r"<\|(?:im_start|system|start_header_id)\|>|\[/?inst\]|<</?sys>>"
        r"|</?(?:system|sys|admin|developer)(?:[ _-](?:prompt|message|instructions?|override))?>|\[(?:system"
        r"|admin"
        r"|developer)(?: (?:message|override|prompt|note))?\]|###+ ?(?:system|instructions?|new instructions?"
        r"|override)"
        r"(?: (?:prompt|message))?:?\s",
    ),
    Wording(
        (
            "begin|end|start",
            "system|hidden|secret|admin|privileged",
            "prompt|instruction|message|block",
        ),
        r"\b(?:begin|end|start)(?: of)? (?:system|hidden|secret|admin|privileged) (?:prompt|instructions?|message"
        r"|block)\b",
    ),
    Wording(
        (
            "role",
            "\"system|'system|\"developer|'developer",
        ),
        r"[\"']role[\"'] ?: ?[\"'](?:system|developer)[\"']",
    ),
    Wording(
        (
            "admin|developer|creator|operator|root user|superuser",
            "i am|i'm|this is|as ",
            "authori|order|instruct|command|grant|permit|require|you ",
        ),
        r"\b(?:as|i am|i'm|this is) (?:the |your |an? )?(?:system |account |platform |security )?(?:administrator"
        r"|admin|developer|creator|operator|root user|superuser)\b(?:[^\w.!?]+\w+){0,8}?[^\w.!?]+(?:i "
        r"(?:authori[sz]e"
        r"|order|instruct|command|grant|permit|require)|you (?:must|are (?:authori[sz]ed|ordered|instructed"
        r"|required)"
        r"|have (?:permission|full)))\b",
    ),
    Wording(
        (
            "authori|grant|cleared|instructed|ordered|permitted",
            "you are|you're|you have been",
        ),
        r"\b(?:you are|you're|you have been) (?:hereby |now )?(?:authori[sz]ed|granted|cleared|instructed|ordered"
        r"|permitted) (?:by|full|to (?:bypass|ignore|skip|access|share|reveal|disable|execute|run))",
    ),
    # who the reader is to be
    Wording(
        ("you are now|you're now",),
        r"\b(?:you are|you're) now (?:in )?(?:an? |the )?(?:\w+[^\w.!?]+){0,3}?(?:mode|dan|unrestricted"
        r"|unfiltered"
        r"|uncensored|jailbroken|without (?:restrictions|limits)|free (?:of|from)|assistant (?:that|who|without)"
        r"|ai (?:that|who|without)|hacker|pirate|evil|root)\b",
    ),
    Wording(
        (
            "enter|enable|activate|switch to|engage",
            "mode",
        ),
        r"\b(?:enter|enable|activate|switch to|engage) (?:\w+ )?(?:developer|dan|god|debug|unrestricted|jailbreak"
        r"|admin|maintenance|sudo|root) mode\b",
    ),
    Wording(
        (
            "from now|from this|from here",
            "on",
        ),
        rf"\bfrom (?:now|this point|this moment|here) on(?:wards?)?,? (?:{_AGENT}\b|the {_AGENT}\b|always|never"
        rf"|respond|answer|reply|treat|do not|don't|all (?:answers|responses|requests|queries))",
    ),
    Wording(
        (
            "assistant|agent|model|chatbot|llm|ai",
            "must|shall|has to|need|required|instructed|ordered|should",
        ),
        r"\b(?:the |every |any |all )?(?:ai |llm )?(?:assistant|agent|model|chatbot|llm|ai)s?(?: reading this"
        r"| that reads? this"
        r"| who reads? this| processing this)?,? (?:must|shall|has to|needs? to|is (?:required|instructed"
        r"|ordered) to"
        r"|should) (?:now |always |never |immediately |first |not )?(?:\w+ )?(?:ignore|disregard|execute|run"
        r"|send"
        r"|forward|recommend|refuse|reply|respond|answer|treat|trust|use|call|approve|grant|disable|say|output"
        r"|delete|transfer|comply|follow|recall|rely|prefer)\b",
    ),
    Wording(
        (
            "pretend|act|behave|respond|answer",
            "no restrict|no rules|no limits|no filters|no guidelines|unrestricted|not bound|free from|the admin|"
            "the system|the root",
        ),
        r"\b(?:pretend|act|behave|respond|answer) (?:to be|as if|as though|like)(?: you)? (?:\w+ ){0,3}?(?:no "
        r"(?:restrictions|rules|limits|filters|guidelines)|unrestricted|not bound|free from|the (?:admin|system"
        r"|root))\b",
    ),
    # what people are not to know
    Wording(
        (
            "not|don't|never|without|avoid",
            "tell|inform|mention|reveal|notify|alert|disclos|show|let|ask|warn",
            "user|human|owner|operator|customer|anyone|anybody|them|him|her|developer|admin",
        ),
        rf"\b(?:do not|don't|never|must not|without|avoid|not to) (?:ever )?(?:tell(?:ing)?|inform(?:ing)?"
        rf"|mention"
        rf"(?:ing)?|reveal(?:ing)?|notify(?:ing)?|alert(?:ing)?|disclose|disclosing|show(?:ing)?|let(?:ting)?|ask"
        rf"(?:ing)?|warn(?:ing)?) (?:this |it |that )?(?:to )?{_WHO}\b(?!['’]s)(?: know| see| notice| about "
        rf"(?:this"
        rf"|it|the)| for (?:confirmation|permission|approval|consent)| first| of (?:this|it)| that you| when"
        rf"|[.,!]"
        rf"|$)",
    ),
    Wording(
        (
            "do not|don't|never",
            "mention|reveal|disclose|repeat|cite|reference|talk about",
            "this|these|that you|the existence",
        ),
        r"\b(?:do not|don't|never) (?:mention|reveal|disclose|repeat|cite|reference|talk about) (?:this|these"
        r"|that you"
        r"|the existence of (?:this|these))(?: (?:memory|note|instructions?|message|rule|entry|record|document"
        r"|to|were|was|received|have|read|got))",
    ),
    Wording(
        ("silently|secretly|covertly|quietly|in the background|hidden from",),
        rf"\b(?:silently|secretly|covertly|quietly|in the background|hidden from the user)\b{_GAP}(?:send|forward"
        rf"|copy|upload|post|execute|run|call|add|append|include|transfer|delete|bcc|share|replace)\b",
    ),
    Wording(
        ("silently|secretly|covertly|without",),
        rf"\b(?:send|forward|copy|upload|post|execute|run|call|append|include|transfer|delete|bcc|share"
        rf"|replace)\b{_GAP}"
        rf"(?:silently|secretly|covertly|without (?:telling|asking|informing|notifying|mentioning|confirmation"
        rf"|user))\b",
    ),
    # what is to leave
    Wording(
        (
            "send|forward|post|upload|mail|leak|exfiltrat|transmit|submit|append|encode|paste|include|share|"
            "deliver|report|copy",
            "key|password|credential|secret|token|system prompt|conversation|chat history|memor|personal|"
            "environment|cookies|.env|card number|content",
            "http|www.|@|url|webhook|attacker|external|the following|this address|.",
        ),
        rf"\b(?:send|forward|post|upload|e-?mail|leak|exfiltrate|transmit|submit|append|encode|paste|include"
        rf"|share"
        rf"|deliver|report|copy)(?:ing|ting)?\b{_GAP}(?:\w+[^\w.!?]+){{0,4}}?{_SECRETS}\b(?:[^\w!?]+\w+){{0,6}}?[^\w!?]+(?:to"
        rf"|at|via|into|in)[^\w!?]+(?:\w+[^\w!?]+){{0,4}}?(?:https?:|www\.|\w[\w.-]*@|url|webhook|attacker"
        rf"|external"
        rf"|the following|this address|[\w-]+\.(?:com|net|org|io|ru|cn|xyz|example|test|invalid|evil)\b)",
    ),
    Wording(
        ("![",),
        r"!\[[^\]]{0,80}\]\(https?://[^)\s]{1,200}[?&][\w-]{1,40}=(?:\{|\$|<|%7b|\[)",
    ),
    Wording(
        (
            "reveal|print|repeat|output|show|display|disclose|dump|recite|reproduce|tell me",
            "prompt|instructions|developer message",
        ),
        rf"\b(?:reveal|print|repeat|output|show|display|disclose|dump|recite|reproduce|tell me)\b{_GAP}?(?:your"
        rf"|the|its)[^\w.!?]+(?:\w+[^\w.!?]+){{0,2}}?(?:system prompt|hidden (?:prompt|instructions)|initial "
        rf"(?:prompt|instructions)|secret instructions|developer (?:message|prompt)|instructions (?:above"
        rf"|verbatim)"
        rf"|(?:prompt|instructions) verbatim)\b",
    ),
    # what is to get into everything that is made of this
    Wording(
        (
            "in",
            "every|all|each",
            "summar|answer|repl|respons|report|output",
            "include|add|say|mention|state|keep|insert",
        ),
        r"\bin (?:every|all|each) (?:\w+ )?(?:summar\w+|answers?|repl(?:y|ies)|responses?|reports?|outputs?),? "
        r"(?:always )?(?:include|add|say|mention|state|keep|insert)\b",
    ),
    Wording(
        (
            "keep|include|copy|preserve|repeat|store|carry",
            "instruction|sentence|rule|text|line|note",
            "word|verbatim|unchanged|exactly",
        ),
        r"\b(?:keep|include|copy|preserve|repeat|store|carry over) (?:the following|this) (?:\w+ )?"
        r"(?:instruction|sentence|rule|text|line|note)s? (?:word for word|verbatim|unchanged|exactly)\b",
    ),
    # which tool is to be taken
    Wording(
        (
            "regardless|no matter|even if|even when|even though|instead of|rather than|over all|over any|"
            "over every|over the other|before any|before all|before every|and never|ignor",
            "always|only|exclusively|must|should|shall|never",
            "use|call|choose|pick|invoke|select|prefer|recommend|route|favor|favour|suggest|promote|trust",
        ),
        rf"\b(?:always|only|exclusively|must|should|shall|never)\b{_GAP}?(?:use|call|choose|pick|invoke|select"
        rf"|prefer"
        rf"|recommend|route|favou?r|suggest|promote|trust)\b(?:[^\w.!?]+[\w-]+){{0,6}}?[^\w.!?]+(?:{_TOOLS})?"
        rf"(?:[^\w.!?]+[\w-]+){{0,5}}?[^\w.!?]+(?:regardless|no matter|even (?:if|when|though)|instead of"
        rf"|rather than"
        rf"|over (?:all|any|every|the) other|before (?:any|all|every) other|and never (?:any|use|the|another)"
        rf"|ignor"
        rf"(?:e|ing) (?:all |any )?(?:other|its|the))\b",
    ),
    Wording(
        (
            "argument|parameter|args|input|command",
            "\"tool|'tool|\"function|'function|\"recipient|'recipient|\"action|'action",
        ),
        r"[\"'](?:tool|tool_name|function|function_call|tool_calls?|recipient_name|action"
        r"|tool_use)[\"'] ?: ?[\[{\"'][^{}]{0,200}[\"']"
        r"(?:arguments|parameters|args|input|action_input|tool_input|command)[\"'] ?:",
    ),
    Wording(
        ("<tool|<function|<invoke|<",),
        r"<(?:tool_call|function_calls?|function_call|invoke|tool_use|antml:\w+)\b[^>]{0,80}>",
    ),
    Wording(
        (
            "call|result|output|action input",
            "tool call|function call|tool result|tool output|function result|function output|action",
        ),
        r"\b(?:tool|function) (?:call|result|output) ?: ?[\[{<]|\baction: ?\w+[^\w]{1,3}action input:",
    ),
    # what worked, and so is to be done again without looking
    Wording(
        (
            "skip|bypass|disabl|omit|drop|turn|suppress|avoid|ignor|overrid|waiv|without",
            "verif|valid|confirm|approv|authori|authent|permission|review|safety|security|sanity|consent|sandbox",
            "always|every time|future|next|worked|succe|faster|best|approved|trusted|safe to|not needed|"
            "unnecessary|from now|for all|for every|for similar|for any|automatically|immediately|directly",
        ),
        rf"\b(?:skip|bypass|disable|omit|drop|turn off|suppress|avoid|ignore|override|waive|without)\b(?:ping|ing"
        rf"|ting)?(?:[^\w.!?]+(?:the|all|any|every|usual|normal|standard|further|additional|manual|user|human"
        rf"|extra"
        rf"|required)){{0,3}}[^\w.!?]+{_CHECKS}\b{_GAP}?(?:\w+[^\w!?]+){{0,12}}?(?:always|every time|in "
        rf"(?:the )?future"
        rf"|next time|next tasks?|worked|succeeds?|succeeded|success(?:ful)?|faster|best|approved|trusted|safe to"
        rf"|not needed|unnecessary|from now on|for (?:all|every|similar|any)|automatically|immediately"
        rf"|directly)\b",
    ),
    Wording(
        (
            "skip|bypass|disabl|omit|turn|suppress|waiv|without",
            "verif|valid|confirm|approv|authori|authent|permission|review|safety|security|sanity|consent|sandbox",
            "always|future|next time|from now|for all|for every|for similar|for any|best practice|proven|"
            "successful|worked|lesson|learned",
        ),
        rf"\b(?:always|in (?:the )?future|next time|from now on|for (?:all|every|similar|any) (?:\w+ ){{0,2}}?"
        rf"(?:tasks?|requests?|queries|cases?)|best practice|proven|successful(?:ly)?|worked|lesson|learned)\b"
        rf"(?:[^\w!?]+\w+){{0,14}}?[^\w!?]+(?:skip|skipping|bypass(?:ing)?|disabl(?:e|ing)|omit(?:ting)?|turn"
        rf"(?:ing)? off|suppress(?:ing)?|waiv(?:e|ing)|without)\b(?:[^\w.!?]+(?:the|all|any|every|usual|normal"
        rf"|standard"
        rf"|further|additional|manual|user|human|extra)){{0,3}}[^\w.!?]+{_CHECKS}\b",
    ),
    Wording(
        (
            "needed|required|necessary",
            "no veri|no vali|no conf|no appr|no auth|no perm|no revi|no cons|without",
        ),
        r"\b(?:no|without(?: any)?) (?:verification|validation|confirmation|approval|authorization|permission"
        r"|review"
        r"|consent) (?:is |was )?(?:needed|required|necessary)\b(?:[^\w!?]+\w+){0,10}?[^\w!?]+(?:transfer"
        r"|payments?"
        r"|delet\w+|execut\w+|run|credentials|admin|grant|requests? from|agents?|assistants?|always|any(?:thing"
        r"|one))\b",
    ),
    # what is to be answered, or not
    Wording(
        (
            "do not|don't|never|refuse|must not|cannot|stop|decline",
            "answer|respon|reply|use|cite|trust|consult|retriev|rely|recall|read|consider",
            "other|question|quer",
        ),
        r"\b(?:do not|don't|never|refuse to|must not|cannot|stop|decline to)\b[^\w.!?]+(?:answer(?:ing)?|respond"
        r"(?:ing)?|reply|use|cite|trust|consult|retriev(?:e|ing)|rely on|recall|read|consider)\b"
        r"(?:[^\w.!?]+\w+){0,3}?[^\w.!?]+"
        r"(?:any (?:other|questions?|quer(?:y|ies))|all other|other|questions? about|quer(?:y|ies) about"
        r"|further "
        r"(?:questions|requests))(?:[^\w.!?]+\w+){0,2}?[^\w.!?]*(?:memor(?:y|ies)|documents?|sources?|results?"
        r"|notes?|entries|records?|questions?|requests?|quer(?:y|ies)|evidence|context|about)\b",
    ),
    Wording(
        (
            "ignor|disregard|forget|overrid|overrul|bypass|neglect|set aside|throw away|discard|do not follow|"
            "stop following|abandon|distrust|delete|skip",
            "memor|document|source|result|note|entr|record|evidence|context|passage",
        ),
        r"\b(?:ignore|disregard|discard|override|distrust|delete|forget|skip)\b[^\w.!?]+(?:all |any |every )?"
        r"(?:of )?(?:the |your )?(?:other|remaining|conflicting|contradicting|contradictory|previous|older"
        r"|earlier)[^\w.!?]+"
        r"(?:retrieved |stored )?(?:memor(?:y|ies)|documents?|sources?|search results|results|notes|entries"
        r"|records"
        r"|evidence|context|passages)\b",
    ),
    Wording(
        (
            "respond|reply|answer|say|output",
            "only|exactly|always|nothing but|solely",
            "cannot|can't|don't know|do not know|not able|unable|no inform|no answer|no data|no result|"
            "access denied|error|not available|unavailable|sorry",
        ),
        r"\b(?:respond|reply|answer|say|output)\b(?:[^\w.!?]+\w+){0,3}?[^\w.!?]+(?:only|exactly|always"
        r"|nothing but"
        r"|solely)[^\w.!?]*(?:with|that|by|:|say|saying)?[^\w]{1,4}(?:\w+[^\w.!?]+){0,4}?(?:i (?:cannot|can't"
        r"|don't know"
        r"|do not know|am (?:not able|unable))|no (?:information|answer|data|results)|access denied|error"
        r"|not available"
        r"|unavailable|sorry)",
    ),
    Wording(
        (
            "this ",
            "supersede|override|take|outrank|has|is|must",
        ),
        r"\bthis (?:memory|note|entry|record|document|message|fact|statement|information|passage|text"
        r"|instruction)s? "
        r"(?:\w+ )?(?:supersedes?|overrides?|takes? (?:precedence|priority)|outranks?|has (?:the )?(?:highest"
        r"|absolute"
        r"|top) (?:priority|authority|trust)|is (?:the )?(?:only|absolute|final|verified and|authoritative"
        r"|system-?level"
        r"|trusted and|highest)|must be (?:trusted|believed|followed|obeyed|treated|recalled|returned|ranked))\b",
    ),
    Wording(
        (
            "treat|regard|consider|store|save|remember|keep|rank|return|mark",
            "trusted|system|authoritative|verified|operator|highest|priority|ground truth|maximum|undisputed|"
            "admin|binding|above",
        ),
        r"\b(?:treat|regard|consider|store|save|remember|keep|rank|return|mark) (?:this|the following|it)(?: "
        r"(?:memory|note|entry|record|message|text|fact))? (?:as|with|at|first)[^\w.!?]+(?:an? |the |fully "
        r"|absolutely )*"
        r"(?:trusted|system(?:-level)?|authoritative|verified|operator|highest|top[ -]priority|ground truth"
        r"|maximum"
        r"|undisputed|admin|binding|above)\b",
    ),
    Wording(
        (
            "trust|authority|priority|clearance",
            ":|=",
            "trusted|system|operator|admin|root|highest|maximum|max|critical override|absolute",
        ),
        r"\b(?:trust(?: level| tier| score)?|authority|priority|clearance) ?[:=] ?(?:trusted|system|operator"
        r"|admin"
        r"|root|highest|maximum|max|critical override|absolute)\b",
    ),
    Wording(
        (
            "when",
            "must|always|never|instead|secretly|only|you should|you will",
            "recommend|say|answer|reply|respond|send|forward|call|run|execute|tell|claim|insist|deny|refuse|"
            "redirect|steer|mention|return|point",
        ),
        r"\bwhen(?:ever)? (?:the user|a user|anyone|someone|somebody|they|users?|asked|you are asked|you see)\b"
        r"(?:[^\w.!?]+[\w-]+){0,14}?[^\w.!?]+(?:you must|always|never|instead|secretly|only|you should"
        r"|you will)\b"
        r"(?:[^\w.!?]+[\w-]+){0,4}?[^\w.!?]+(?:recommend|say|answer|reply|respond|send|forward|call|run"
        r"|execute"
        r"|tell|claim|insist|deny|refuse|redirect|steer|mention|return|point)\b",
    ),
    # the same in other languages
    Wording(
        (
            "ignorier|missachte|vergiss|vergessen",
            "anweisung|regeln|befehle|vorgaben|instruktion",
        ),
        r"\b(?:ignorier\w*|missachte\w*|vergiss|vergessen sie)\b(?:[^\w.!?]+\w+){0,3}?[^\w.!?]+(?:\w*herigen?"
        r"|bisherigen?"
        r"|obigen?|früheren|alle)[^\w.!?]+(?:\w+ )?(?:anweisung\w*|regeln|befehle|vorgaben|instruktionen)",
    ),
    Wording(
        (
            "ignor|oubli|ne ti|ne te",
            "instructions|consignes|règles|directives",
        ),
        r"\b(?:ignore[zr]?|oublie[zr]?|ne tiens pas compte de|ne tenez pas compte des?)\b"
        r"(?:[^\w.!?]+\w+){0,4}?[^\w.!?]+"
        r"(?:instructions|consignes|règles|directives)\b(?:[^\w.!?]+\w+){0,2}?[^\w.!?]+(?:précédentes|antérieures"
        r"|ci-dessus)",
    ),
    Wording(
        (
            "ignor|olvid|descart|esque|desconsider|dimentica",
            "instrucciones|instruções|istruzioni|reglas|regras|regole|indicaciones|órdenes",
        ),
        r"\b(?:ignora|ignore|ignorar|olvida|olvide|descarta|esquece|esqueça|desconsidere|dimentica|ignori)\b"
        r"(?:[^\w.!?]+\w+){0,4}?[^\w.!?]+(?:instrucciones|instruções|istruzioni|reglas|regras|regole|indicaciones"
        r"|órdenes)\b(?:[^\w.!?]+\w+){0,2}?[^\w.!?]+(?:anterior\w*|previas|prévias|precedent\w*)",
    ),
    Wording(
        ("игнорируй|забуд|не обращай",),
        r"(?:игнорируй\w*|забуд\w+|не обращай\w* внимания на)(?:[^\w.!?]+\w+){0,3}?[^\w.!?]+(?:предыдущ\w+"
        r"|прежн\w+"
        r"|вышеуказанн\w+)[^\w.!?]+(?:инструкци\w+|указани\w+|команд\w+|правил\w*)",
    ),
    Wording(
        ("忽略|无视|忘记|忽視|無視|忘れ",),
        r"(?:忽略|无视|忘记|忽視|無視)[^。！？\n]{0,8}(?:之前|以上|先前|前面|所有)[^。！？\n]{0,8}(?:指令|指示|规则|說明|说明|命令|提示)|(?:以前|これまで|上記"
        r"|前)の[^。！？\n]{0,8}(?:指示|命令|ルール)[^。！？\n]{0,4}(?:無視|忘れ)",
    ),
    Wording(
        ("무시|잊",),
        r"(?:이전|위의|앞의)[^.!?\n]{0,10}(?:지시|명령|규칙|지침)[^.!?\n]{0,6}(?:무시|잊)",
    ),
)
"""Every known one."""
