"use strict";

// Requests are signed, and no key belongs in a browser: the page shows the contract and sends nothing.
const nothing = () => null;

SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("operations"),
  validatorUrl: null,
  queryConfigEnabled: false,
  supportedSubmitMethods: [],
  docExpansion: "none", // two hundred operations at once take a slow machine a minute to draw
  defaultModelsExpandDepth: 0,
  operationsSorter: null,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [
    () => ({ wrapComponents: { authorizeBtn: () => nothing, authorizeOperationBtn: () => nothing } }),
  ],
});
