// node-soap with documents.wsdl on both ports. It prints the port that it listens on.
import fs from 'node:fs'
import http from 'node:http'
import soap from 'soap'

const documents = {
  Put: ({ Document }) => ({ Size: Buffer.from(Document.Content, 'base64').length, Sum: '18446744073709551615' }),
  Get({ Name, Size }) {
    if (Size >= 0) return { Document: { Name, Content: Buffer.alloc(Number(Size), 'a').toString('base64') } }
    const detail = { NotFound: { attributes: { xmlns: 'urn:test:documents' }, Name } }
    throw { Fault: { faultcode: 'Client', faultstring: 'no such document', detail, statusCode: 500 } }
  },
  Whoami() {
    throw new Error('an exception that nobody caught, in /srv/documents.js:12')
  }
}

const server = http.createServer((_, response) => response.writeHead(404).end())
server.listen(0, '127.0.0.1', () => {
  const service = { DocumentService: { Port11: documents, Port12: documents } }
  const wsdl = fs.readFileSync('documents.wsdl', 'utf8')
  soap.listen(server, '/documents', service, wsdl, () => console.log(server.address().port))
})
