// Names of places and the IANA zone each stands for: a table of well-known cities, every zone this runtime knows, and
// the last part of its name. A name that is not known for certain is refused, and so are abbreviations such as EST.
import { isZone } from '../base/zoned-time.ts'
import { fold, phrases, type Read, skipAnyPhrase, type Token, wordAt } from './tokens.ts'

const PLACES: Readonly<Record<string, string>> = {
  'Europe/Amsterdam': 'amsterdam, rotterdam, the hague, netherlands, the netherlands',
  'Europe/Athens': 'athens, greece',
  'Europe/Belgrade': 'belgrade, serbia',
  'Europe/Berlin': 'berlin, germany, munich, hamburg, cologne, frankfurt, stuttgart, leipzig, dresden, dusseldorf',
  'Europe/Brussels': 'brussels, antwerp, belgium',
  'Europe/Bucharest': 'bucharest, romania',
  'Europe/Budapest': 'budapest, hungary',
  'Europe/Copenhagen': 'copenhagen, denmark',
  'Europe/Dublin': 'dublin, ireland',
  'Europe/Helsinki': 'helsinki, finland',
  'Europe/Istanbul': 'istanbul, ankara, turkey',
  'Europe/Kyiv': 'kyiv, kiev, ukraine',
  'Europe/Lisbon': 'lisbon, porto, portugal',
  'Europe/London': 'london, manchester, edinburgh, glasgow, liverpool, england, scotland, uk, the uk, britain',
  'Europe/Madrid': 'madrid, barcelona, valencia, seville',
  'Europe/Moscow': 'moscow, saint petersburg, st petersburg',
  'Europe/Oslo': 'oslo, norway',
  'Europe/Paris': 'paris, lyon, marseille, france',
  'Europe/Prague': 'prague',
  'Europe/Rome': 'rome, milan, naples, turin, italy',
  'Europe/Sofia': 'sofia, bulgaria',
  'Europe/Stockholm': 'stockholm, gothenburg, sweden',
  'Europe/Vienna': 'vienna, austria',
  'Europe/Warsaw': 'warsaw, krakow, poland',
  'Europe/Zurich': 'zurich, geneva, basel, bern, switzerland',
  'Atlantic/Reykjavik': 'reykjavik, iceland',
  'America/New_York': 'new york, new york city, nyc, boston, washington, washington dc, philadelphia, miami, atlanta',
  'America/Chicago': 'chicago, dallas, houston, austin, new orleans, minneapolis',
  'America/Denver': 'denver, salt lake city',
  'America/Phoenix': 'phoenix, arizona',
  'America/Los_Angeles': 'los angeles, la, san francisco, seattle, san diego, las vegas, california, silicon valley',
  'America/Anchorage': 'anchorage, alaska',
  'Pacific/Honolulu': 'honolulu, hawaii',
  'America/Toronto': 'toronto, ottawa, montreal',
  'America/Vancouver': 'vancouver',
  'America/Mexico_City': 'mexico city',
  'America/Sao_Paulo': 'sao paulo, rio de janeiro, rio, brasilia',
  'America/Argentina/Buenos_Aires': 'buenos aires, argentina',
  'America/Bogota': 'bogota, colombia',
  'America/Lima': 'lima, peru',
  'America/Santiago': 'santiago',
  'Asia/Tokyo': 'tokyo, osaka, kyoto, japan',
  'Asia/Seoul': 'seoul, south korea, korea',
  'Asia/Shanghai': 'shanghai, beijing, shenzhen, guangzhou, china',
  'Asia/Hong_Kong': 'hong kong',
  'Asia/Taipei': 'taipei, taiwan',
  'Asia/Singapore': 'singapore',
  'Asia/Kuala_Lumpur': 'kuala lumpur',
  'Asia/Jakarta': 'jakarta',
  'Asia/Manila': 'manila, philippines, the philippines',
  'Asia/Bangkok': 'bangkok, thailand',
  'Asia/Ho_Chi_Minh': 'ho chi minh city, ho chi minh, saigon, hanoi, vietnam',
  'Asia/Kolkata': 'kolkata, calcutta, mumbai, delhi, new delhi, bangalore, bengaluru, chennai, hyderabad, india',
  'Asia/Karachi': 'karachi, lahore, islamabad, pakistan',
  'Asia/Dhaka': 'dhaka, bangladesh',
  'Asia/Kathmandu': 'kathmandu, nepal',
  'Asia/Dubai': 'dubai, abu dhabi',
  'Asia/Riyadh': 'riyadh, saudi arabia',
  'Asia/Tehran': 'tehran, iran',
  'Asia/Jerusalem': 'jerusalem, tel aviv, israel',
  'Africa/Cairo': 'cairo, egypt',
  'Africa/Johannesburg': 'johannesburg, cape town, south africa',
  'Africa/Lagos': 'lagos, nigeria',
  'Africa/Nairobi': 'nairobi, kenya',
  'Africa/Casablanca': 'casablanca, morocco',
  'Australia/Sydney': 'sydney, canberra',
  'Australia/Melbourne': 'melbourne',
  'Australia/Brisbane': 'brisbane',
  'Australia/Perth': 'perth',
  'Pacific/Auckland': 'auckland, wellington, new zealand',
  UTC: 'utc, gmt, greenwich',
}

/** Last parts of zone names that are ordinary words or the name of a better-known place elsewhere. */
const NOT_PLACES = new Set(
  phrases(
    'center, christmas, easter, wake, midway, petersburg, general, mawson, casey, davis, troll, utc, oral, ' +
      'san juan, san luis, cordoba, la rioja, norfolk, chatham, vincennes',
  ),
)

const PLACE_WORDS_MAX = 4

/** Made when a place is first looked up: most processes never look. */
let zoneOfPlace: ReadonlyMap<string, string> | undefined

function buildTable(): ReadonlyMap<string, string> {
  const table = new Map<string, string>()
  for (const zone of Intl.supportedValuesOf('timeZone')) {
    table.set(zone.toLowerCase(), zone)
    const place = (zone.split('/').at(-1) ?? '').replaceAll('_', ' ').toLowerCase()
    if (zone.includes('/') && !NOT_PLACES.has(place)) table.set(place, zone)
  }
  for (const [zone, places] of Object.entries(PLACES)) {
    table.set(zone.toLowerCase(), zone)
    for (const place of places.split(', ')) table.set(place, zone)
  }
  return table
}

/** The zone of a city, a country of one zone, or an IANA name in any case; undefined when it is not known. */
function zoneNamed(name: string): string | undefined {
  const folded = fold(name).trim()
  zoneOfPlace ??= buildTable()
  const known = zoneOfPlace.get(folded)
  if (known || !folded.includes('/')) return known
  const cased = folded.replaceAll(
    /(^|[/_-])([a-z])/g,
    (_, before: string, letter: string) => before + letter.toUpperCase(),
  )
  return isZone(cased) ? cased : undefined
}

/** `in Berlin`, `Tokyo time`, `in New York time`, `Europe/Paris`, `UTC`, `my time` (answers an empty name). */
export function readZone(tokens: readonly Token[], at: number): Read<string> {
  const own = skipAnyPhrase(tokens, at, ['my time', 'local time', 'in my zone', 'in my time zone', 'my local time'])
  if (own !== undefined) return { value: '', next: own }
  const led = wordAt(tokens, at) === 'in'
  const start = led ? at + 1 : at
  for (let length = PLACE_WORDS_MAX; length >= 1; length--) {
    const words = tokens.slice(start, start + length)
    if (words.length < length || words.some(token => token.quoted)) continue
    const zone = zoneNamed(words.map(token => token.word).join(' '))
    if (!zone) continue
    const end = skipAnyPhrase(tokens, start + length, ['time', 'time zone', 'timezone', 'zone'])
    const alone = length === 1 && /^(utc|gmt|.+\/.+)$/.test(words[0]?.word ?? '')
    if (led || end !== undefined || alone) return { value: zone, next: end ?? start + length }
  }
  return undefined
}
