import tseslint from 'typescript-eslint';

/** Clock, chance and output go through `base/`, so that tests can hold them still. */
const banned = [
  ['Date', 'now', 'clock.nowMs()'],
  ['Math', 'random', 'clock.random()'],
  ['console', 'log', 'the log, or the writer of the command'],
].map(([object, property, message]) => ({ object, property, message: `use ${message}` }));

export default tseslint.config(
  { ignores: ['dist/', 'src/gen/', 'node_modules/', 'coverage/'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: true },
      ],
      eqeqeq: 'error',
      'no-restricted-properties': ['error', ...banned],
    },
  },
  {
    files: ['test/**', 'scripts/**', 'demo/**'],
    rules: {
      // node:test's describe/it return promises that the runner owns.
      '@typescript-eslint/no-floating-promises': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-restricted-properties': 'off',
    },
  },
  { files: ['src/base/clock.ts'], rules: { 'no-restricted-properties': 'off' } },
  { files: ['**/*.js', '**/*.mjs'], extends: [tseslint.configs.disableTypeChecked] },
);
