// Relative addresses, so that the page works below any prefix of a proxy.
window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  // Otherwise the document's address is sent to a validator on the internet.
  validatorUrl: null,
});
