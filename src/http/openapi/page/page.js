// Shows the document that the page names, in the colours that the reader's system prefers.
const main = document.getElementById('document');
const dark = matchMedia('(prefers-color-scheme: dark)');
const paint = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
paint();
dark.addEventListener('change', paint);

SwaggerUIBundle({
  url: main.dataset.address,
  domNode: main,
  deepLinking: true,
  docExpansion: 'none',
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  supportedSubmitMethods: main.dataset.canTry === 'true' ? ['get', 'post', 'put', 'patch', 'delete'] : [],
  // Swagger UI would send the document to a validator on the internet.
  validatorUrl: 'none',
});
