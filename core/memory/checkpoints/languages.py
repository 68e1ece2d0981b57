"""Languages: what tells a decision, a date that is none for long, and an order. Data, in the commonest ones.

They are held against one line in small letters (see disguises), so days that are names as well (Domingo, Domenica) have
a word before them. A language that is missing here is not checked for these three; all else is.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """Regular expressions of whole words.

    `decided` is in a line that tells a decision; `relative` in a date that is only known on the day itself; one of
    `weekdays` tells no date, but with `every` before it needs none; a sentence that begins with `orders` is one.
    """

    decided: tuple[str, ...]
    relative: tuple[str, ...]
    weekdays: tuple[str, ...]
    every: tuple[str, ...]
    orders: tuple[str, ...]


_ONE = r"(?:\d+|an?|one|two|three|few|eine[nmr]?|zwei|drei|une?|deux|trois|un[oa]|dos|tres|um|dois|due|tre|een|twee)"
_ANY = r"(?:\w+ ){0,3}"

LANGUAGES: Mapping[str, Language] = {
    "en": Language(
        decided=(
            r"decided|decision|agreed|approved|settled on|signed off|cho(?:se|sen)",
            r"(?:we|we'll|we will|let's|let us) (?:go with|use|take|ship|keep)|(?:will|shall) (?:use|go with|ship)",
        ),
        relative=(
            r"today|tomorrow|yesterday|tonight",
            r"(?:this|next|last) (?:morning|afternoon|evening|night|week|weekend|month|quarter|year)",
            rf"{_ONE} (?:minute|hour|day|week|month|year)s? ago",
        ),
        weekdays=(r"monday|tuesday|wednesday|thursday|friday|saturday|sunday",),
        every=(r"every|each|any|on a",),
        orders=(
            (
                r"(?:please |now |just )?(?:ignore|disregard|forget|override|bypass) "
                rf"{_ANY}(?:instructions?|rules|prompts?|above|before|previous|prior|messages?|everything|guidelines)"
            ),
            r"you (?:must|shall|should|may not|are to|have to|are now|will now)",
            r"from now on,? (?:you|answer|always|only|ignore|say|write)|pretend (?:to|you|that)|act as (?:an?|if|the)",
            r"(?:always|never|only) (?:answer|reply|respond|say|write|tell|mention|reveal|refuse|follow|obey)",
            r"(?:answer|reply|respond) (?:only|always|with|in|as)",
            r"do not (?:tell|reveal|mention|follow|answer|reply|obey)",
            r"(?:new |your )?(?:system )?(?:prompt|instructions?):|next steps?:|to ?do:",
        ),
    ),
    "de": Language(
        decided=(
            r"beschlossen|entschieden|entscheidung|vereinbart|geeinigt|einigten|genehmigt|freigegeben|festgelegt",
            r"abgemacht|einverstanden|wir nehmen",
        ),
        relative=(
            r"heute|gestern|vorgestern|übermorgen|(?<!am )(?<!guten )(?<!jeden )morgen",
            r"(?:diese|nächste|letzte|kommende|vorige)[rnms]? (?:woche|wochenende|monat|quartal|jahr)",
            rf"vor {_ONE} (?:minuten?|stunden?|tag(?:en)?|wochen?|monat(?:en)?|jahr(?:en)?)",
        ),
        weekdays=(r"montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag",),
        every=(r"jede[nrms]?|immer",),
        orders=(
            (
                rf"(?:bitte )?(?:ignorier(?:e|t|en sie)?|vergiss|vergesst|missachte) {_ANY}"
                r"(?:anweisung(?:en)?|regeln?|alles|vorherigen?|bisherigen?|oben|nachrichten)"
            ),
            r"du (?:musst|sollst|bist jetzt|bist nun)|ihr (?:müsst|sollt)",
            r"ab (?:jetzt|sofort) (?:bist|antworte|schreibe?|sag|musst|sollst)",
            r"(?:antworte|schreibe?|sage?) (?:nur|immer|mit|auf)",
        ),
    ),
    "fr": Language(
        decided=(
            r"décid[ée]e?s?|décision|d'accord|convenu|validée?s?|approuvée?s?|retenue?s?|on (?:prend|garde|part sur)",
        ),
        relative=(
            r"aujourd'hui|demain|avant-hier|hier (?:soir|matin)|d'hier|ce (?:soir|matin)",
            r"cette (?:semaine|année)|ce mois-ci|(?:semaine|mois|année) (?:prochaine?|derni(?:er|ère)|passée?)",
            rf"il y a {_ONE} (?:minutes?|heures?|jours?|semaines?|mois|ans?)",
        ),
        weekdays=(r"lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche",),
        every=(r"chaque|tous les|toutes les",),
        orders=(
            rf"(?:ignorez?|oubliez?) {_ANY}(?:instructions?|règles|consignes?|tout|précédente?s?|messages?)",
            r"tu (?:dois|es maintenant)|vous (?:devez|êtes maintenant)",
            r"(?:à partir de maintenant|désormais),? (?:tu|vous|réponds|écris)",
            r"(?:réponds|répondez|écris|écrivez) (?:uniquement|toujours|seulement|en|par)",
        ),
    ),
    "es": Language(
        decided=(r"decidi(?:do|ó|eron|mos|da)|decisión|acord(?:ado|ó|aron|amos)|quedamos en|aprobad[oa]s?",),
        relative=(
            r"hoy|ayer|anteayer|anoche|pasado mañana|(?<!la )mañana",
            r"(?:esta|próxima|pasada) semana|este (?:mes|año)|(?:semana|mes|año) (?:que viene|pasad[oa]|próxim[oa])",
            rf"hace {_ONE} (?:minutos?|horas?|días?|semanas?|mes(?:es)?|años?)",
        ),
        weekdays=(
            r"lunes|martes|miércoles|jueves|viernes|sábado",
            r"(?:el|este|próximo|para) domingo",
        ),
        every=(r"cada|todos los|los",),
        orders=(
            rf"(?:ignor[ae]|olvid[ae]) {_ANY}(?:instrucciones|reglas|todo|anterior(?:es)?|mensajes?)",
            r"debes|tienes que|ahora eres|a partir de ahora,? (?:eres|debes|responde|escribe)",
            r"(?:responde|escribe) (?:solo|sólo|siempre|únicamente)",
        ),
    ),
    "pt": Language(
        decided=(r"decid(?:ido|iu|iram|imos|ida)|decisão|combina(?:do|mos)|acordado|aprovad[oa]s?|fechado",),
        relative=(
            r"hoje|ontem|anteontem|amanhã|n?ess?ta semana|n?este (?:mês|ano)",
            r"(?:semana|mês|ano) (?:que vem|passad[oa])|próxim[oa] (?:semana|mês|ano)",
            rf"há {_ONE} (?:minutos?|horas?|dias?|semanas?|m(?:ês|eses)|anos?)",
        ),
        weekdays=(
            r"(?:segunda|terça|quarta|quinta|sexta)-feira|sábado",
            r"(?:no|neste|este|próximo) domingo",
        ),
        every=(r"cada|tod[ao]s? [ao]s?|tod[ao]",),
        orders=(
            rf"(?:ignore|esqueça|desconsidere) {_ANY}(?:instruções|regras|tudo|anterior(?:es)?|mensagens?)",
            r"você deve|agora você é|a partir de agora,? (?:você|responda|escreva)",
            r"(?:responda|escreva) (?:apenas|sempre|somente|só)",
        ),
    ),
    "it": Language(
        decided=(r"deciso|decisione|concordato|approvat[oaie]|stabilito|d'accordo|confermato",),
        relative=(
            r"oggi|domani|ieri|dopodomani|stasera|stamattina",
            r"(?:questa|prossima|scorsa) settimana|(?:settimana|mese|anno) (?:prossim[oa]|scors[oa])",
            rf"{_ONE} (?:minut[oi]|or[ae]|giorn[oi]|settiman[ae]|mes[ei]|ann[oi]) fa",
        ),
        weekdays=(
            r"lunedì|martedì|mercoledì|giovedì|venerdì|sabato",
            r"(?:di|questa|prossima|entro|per) domenica",
        ),
        every=(r"ogni|tutti i|tutte le",),
        orders=(
            rf"(?:ignor(?:a|ate)|dimentica) {_ANY}(?:istruzioni|regole|tutto|precedent[ei]|messaggi)",
            r"devi|ora sei|d'ora in poi,? (?:sei|devi|rispondi|scrivi)",
            r"(?:rispondi|scrivi) (?:solo|sempre|soltanto)",
        ),
    ),
    "nl": Language(
        decided=(r"besloten|besluit|beslissing|afgesproken|akkoord|goedgekeurd|we (?:nemen|gaan voor)",),
        relative=(
            r"vandaag|gisteren|eergisteren|overmorgen|vanavond|vanochtend",
            r"(?:deze|volgende|vorige|afgelopen) (?:week|maand)",
            rf"{_ONE} (?:minu(?:ut|ten)|uur|dag(?:en)?|we(?:ek|ken)|maand(?:en)?|jaar) geleden",
        ),
        weekdays=(r"maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag",),
        every=(r"elke|iedere",),
        orders=(
            rf"(?:negeer|vergeet) {_ANY}(?:instructies|regels|alles|vorige|bovenstaande|berichten)",
            r"je (?:moet|bent nu)|u moet|vanaf nu (?:ben je|moet je|antwoord|schrijf)",
            r"(?:antwoord|schrijf) (?:alleen|altijd|enkel)",
        ),
    ),
    "pl": Language(
        decided=(r"zdecydowa\w+|decyzja|ustalon[oy]|ustaliliśmy|zatwierdzon[oya]|uzgodnion[oya]",),
        relative=(r"dzisiaj|jutro|wczoraj|pojutrze|przedwczoraj|w (?:przyszłym|zeszłym) (?:tygodniu|miesiącu|roku)",),
        weekdays=(r"poniedziałek|wtorek|środę|czwartek|piątek|sobotę|niedzielę",),
        every=(r"każd[yąe]|co",),
        orders=(
            rf"(?:zignoruj|ignoruj|zapomnij) {_ANY}(?:instrukcje|zasady|wszystko|poprzednie)",
            r"musisz|od teraz (?:jesteś|odpowiadaj|pisz)",
        ),
    ),
    "ru": Language(
        decided=(r"решили|решено|решение|договорились|утвержден[оыа]?|утвердили|согласовано",),
        relative=(
            r"сегодня|завтра|вчера|послезавтра|позавчера",
            r"(?:следующей|прошлой|этой) неделе|(?:следующем|прошлом|этом) (?:месяце|году)",
        ),
        weekdays=(r"понедельник|вторник|среду|четверг|пятницу|субботу|воскресенье",),
        every=(r"кажд(?:ый|ую|ое)",),
        orders=(
            rf"(?:игнорируй|забудь)(?:те)? {_ANY}(?:инструкции|правила|всё|все|предыдущие)",
            r"ты должен|вы должны|(?:отныне|с этого момента) (?:ты|вы|отвечай|пиши)",
        ),
    ),
}

UNSPACED = r"明天|昨天|后天|前天|下周|上周|来週|先週|明後日|一昨日|내일|어제|모레|그저께"
"""The same as `relative`, in languages that write no blanks between words."""
