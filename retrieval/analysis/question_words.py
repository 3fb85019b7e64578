"""English words that tell what a question asks for."""

# ruff: noqa: SIM905 - lists of words read better as words

from __future__ import annotations

AUXILIARIES = frozenset(
    "is are was were am be do does did have has had can could will would should shall may might must"
    " isn't aren't wasn't weren't don't doesn't didn't haven't hasn't hadn't can't couldn't won't"
    " wouldn't shouldn't".split()
)
SUBJECTS = frozenset(
    "i you he she it we they there this that these those my your his her its our their the a an any anyone anybody"
    " someone somebody everyone all both".split()
)
WH = frozenset("who whom whose when where why how what which what's who's where's when's how's why's".split())
WHEN_NOUNS = frozenset("time date day year month week weekday hour season decade century dates times".split())
WHERE_NOUNS = frozenset(
    "city country place town location state village region area restaurant cafe bar hotel street address room building"
    " neighborhood neighbourhood continent island airport station museum park beach store shop school".split()
)
WHO_NOUNS = frozenset("person people man woman friend colleague relative doctor teacher artist author actor".split())
WHY_NOUNS = frozenset("reason reasons motivation motive cause purpose".split())
HOW_TO_NOUNS = frozenset("way steps procedure method approach process workflow instructions recipe technique".split())
HOW_MANY_WORDS = frozenset("many much often long old far tall big large high heavy frequently fast deep wide".split())
LIST_NOUNS = frozenset("kinds types sorts examples names some all".split())
LIST_VERBS = frozenset("list name enumerate".split())
TOOLS = frozenset("tool tools command commands library method approach script procedure workflow technique".split())
ACTORS = frozenset("i we you one they".split())
DID_WHAT = frozenset(
    "fix solve deploy set configure install resolve build make handle do debug get implement run test release migrate"
    " restore reset upgrade connect clean cook bake repair train tune".split()
)
TASKS = frozenset(
    "summarise summarize translate write rewrite draft compose create generate refactor implement fix debug deploy"
    " install configure convert schedule book order analyse analyze review proofread calculate plot optimise optimize"
    " explain classify extract format design plan prepare send edit compare find".split()
)
SURE_TASKS = TASKS - {"find", "compare", "plan", "order", "book", "send", "edit", "design", "format", "explain", "fix"}
"""Verbs that open hardly anything but a request."""
OBJECTS = frozenset("a an the this that these those my our your his her their its all some me it them an".split())
NOT_FIRST = frozenset(
    "name names aid floor street class lady half quarter week weekend day month year thing grade hand language place"
    " person of".split()
)
NOT_LAST = frozenset(
    "name names week weekend month year night monday tuesday wednesday thursday friday saturday sunday january february"
    " march april may june july august september october november december spring summer autumn fall winter"
    " christmas easter halloween thanksgiving"
    " quarter decade century long for until till minute chance resort few couple two three"
    " four five six seven eight nine ten".split()
)
LASTING = frozenset("did does do will would to can could it that they which should may might".split())
AFTER_VERBS = frozenset(
    "look looks looked looking named name take takes took taking called ask asked asking day week year month one time"
    " run go thirst chase".split()
)
NO_ANCHOR = frozenset("that this then all now it which what noon lunch? ever or and".split())
LEAD_INS = (
    "can you tell me|could you tell me|would you tell me|can you remind me|could you remind me|please tell me|tell me"
    "|please remind me|remind me|do you know|do you remember|do you recall|i want to know|i would like to know"
    "|i'd like to know|i wonder|i was wondering|any idea|please|hey|hi|hello|ok|okay|so|well|and|but|also|hmm|btw|oh"
    "|by the way|quick question"
)
