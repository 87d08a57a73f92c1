// Search over captions: phrases of whole words, each from its beginning, over all images.
"use strict";

const search = (() => {
  const LETTER = "[\\p{L}\\p{N}]", GAP = "[^\\p{L}\\p{N}]+";
  const UNSPACED = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;
  const escape = (text) => text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");

  /** The phrases of a query as expressions; scripts without spaces match anywhere. */
  function phrases(query) {
    const parts = query.split(/[,;]/).map((part) => part.trim()).filter(Boolean);
    return parts.map((part) => {
      const words = part.split(new RegExp(GAP, "u")).filter(Boolean);
      if (!words.length) return new RegExp(escape(part), "giu");
      const start = UNSPACED.test(words[0]) ? "" : `(?<!${LETTER})`;
      return new RegExp(start + words.map(escape).join(GAP), "giu");
    });
  }

  function matches(expression, text) {
    const isThere = expression.test(text);
    expression.lastIndex = 0; // of an expression that is global, the next search would go on from there
    return isThere;
  }

  const says = (expression, region) =>
    matches(expression, region[2]) || (region[3] || []).some((other) => matches(expression, other));

  /** Whether a region, as it stands in the data, holds any of the phrases. */
  const isHit = (expressions, region) => expressions.some((expression) => says(expression, region));

  /** Hits among the regions of an image, as they stand in the data, when each phrase occurs, else 0. */
  function count(expressions, regions) {
    const open = new Set(expressions);
    let hits = 0;
    for (const region of regions) {
      const said = expressions.filter((expression) => says(expression, region));
      said.forEach((expression) => open.delete(expression));
      hits += said.length > 0;
    }
    return open.size ? 0 : hits;
  }

  /** A caption with its hits marked. */
  function marked(expressions, text) {
    const spans = expressions.flatMap((expression) =>
      [...text.matchAll(expression)].map((match) => [match.index, match.index + match[0].length]));
    spans.sort((one, two) => one[0] - two[0]);
    const nodes = [];
    let end = 0;
    for (const [from, to] of spans) {
      if (to <= end) continue;
      const start = Math.max(from, end);
      if (start > end) nodes.push(text.slice(end, start));
      nodes.push(make("mark", {}, text.slice(start, to)));
      end = to;
    }
    if (end < text.length) nodes.push(text.slice(end));
    return nodes;
  }

  return { phrases, isHit, count, marked };
})();
