// The page of the API: Swagger UI over the service's own OpenAPI document. Requests are sent in the user's session.

const element = document.getElementById("api");
window.SwaggerUIBundle({
  url: element.dataset.address,
  domNode: element,
  deepLinking: true,
  docExpansion: "none",
  displayRequestDuration: true,
  syntaxHighlight: false,
  validatorUrl: null,
  requestInterceptor(request) {
    request.headers["X-CSRF-Token"] = document.body.dataset.csrf ?? "";
    return request;
  },
});
