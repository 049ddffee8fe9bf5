/** HTML that is safe to put into a page: only `html` makes it, and it escapes what it is given. */
export class Markup {
  constructor(readonly text: string) {}
}

type Part = Markup | string | number | Part[];

/** A template whose strings are escaped and whose markup is not. */
export function html(template: TemplateStringsArray, ...parts: Part[]): Markup {
  return new Markup(template.reduce((text, piece, i) => text + show(parts[i - 1] as Part) + piece));
}

/** Markup that something else made, which has escaped its own. */
export const trusted = (text: string) => new Markup(text);

export const nothing = new Markup('');

/** JSON inside a script element, which no string in it can end. */
export function embedded(value: unknown): Markup {
  return trusted((JSON.stringify(value) ?? 'null').replace(/[<>&\u2028\u2029]/g, unicode));
}

function show(part: Part): string {
  if (Array.isArray(part)) return part.map(show).join('');
  return part instanceof Markup ? part.text : quote(String(part));
}

const kEntities: { [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const quote = (text: string) => text.replace(/[&<>"']/g, (character) => kEntities[character] as string);
const unicode = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
