/** From text to plain content. What YAML allows and a topology does not is refused. */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { errorMessage } from '../base/errors.ts';
import { Places, topologyInvalid, type PlacedProblem } from './problems.ts';

export interface YamlText {
  readonly content: unknown;
  readonly places: Places;
}

/** @throws MeshError topology_invalid */
export function readYaml(text: string, file: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const places = new Places(document, lines, file);
  // What a decoder of UTF-8 puts where there is none; UTF-16 has zeros besides.
  if (/[\0\uFFFD]/.test(text)) {
    throw topologyInvalid([places.atOffset(0, 'found bytes that are not UTF-8, wanted UTF-8')]);
  }
  const problems = [...syntaxProblems(document, text, places), ...keyProblems(document, places)];
  if (problems.length > 0) throw topologyInvalid(problems);
  if (!isMap(document.contents)) {
    const found = isSeq(document.contents) ? 'a list' : 'no keys';
    throw topologyInvalid([places.atOffset(0, `found ${found}, wanted a topology file`)]);
  }
  try {
    return { content: document.toJS(), places };
  } catch (error) {
    // Aliases that stand for more than there may be.
    throw topologyInvalid([places.atOffset(0, errorMessage(error))]);
  }
}

function syntaxProblems(document: Document.Parsed, text: string, places: Places): PlacedProblem[] {
  return [...document.errors, ...document.warnings].map(({ code, message, pos: [offset] }) => {
    const word = /^[^\s:,}\]]+/.exec(text.slice(offset))?.[0] ?? '';
    const told: Partial<Record<typeof code, string>> = {
      MULTIPLE_DOCS: 'found a second document, wanted one topology in a file',
      DUPLICATE_KEY: `found the key ${word} a second time, wanted it once`,
      TAG_RESOLVE_FAILED: `found the tag ${word}, wanted a value without it`,
    };
    return places.atOffset(offset, told[code] ?? message);
  });
}

/** A key of this name would get lost on its way through objects. */
function keyProblems(document: Document.Parsed, places: Places): PlacedProblem[] {
  const problems: PlacedProblem[] = [];
  visit(document, {
    Pair: (_, { key }) => {
      if (!isScalar(key) || key.value !== '__proto__') return;
      const message = 'found the key "__proto__", wanted another name: this one is reserved';
      problems.push(places.atOffset(key.range?.[0] ?? 0, message));
    },
  });
  return problems;
}
