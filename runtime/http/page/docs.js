// Swagger UI takes the place of the list of routes. It would ask validator.swagger.io
// whether the document is valid, if `validatorUrl` did not forbid it.
const place = document.getElementById("docs");
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.url,
  validatorUrl: null,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
});
