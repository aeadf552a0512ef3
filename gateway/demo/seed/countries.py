"""Where customers live: cities with post codes, streets, names of people and of companies, by country."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """One country's vocabulary. `street` and `phone` are patterns: {name} {number}; # is a digit."""

    code: str
    vat: str
    bank: str
    suffixes: tuple[str, ...]
    street: str
    phone: str
    cities: Mapping[str, str]
    streets: tuple[str, ...]
    given: tuple[str, ...]
    family: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip().replace("_", " ") for word in text.split())


COUNTRIES = (
    Country(
        "DE", "19.00", "COBADEFF", ("GmbH", "GmbH & Co. KG", "AG", "e.K."), "{name} {number}", "+49 (0)## / ######",
        {"Hamburg": "20###", "Bremen": "28###", "Köln": "50###", "Stuttgart": "70###", "Nürnberg": "90###",
         "Dresden": "01###", "Münster": "48###", "Düsseldorf": "40###"},
        _words("Hafenstraße Industriestraße Am_Güterbahnhof Werkstraße Gießereiweg Bahnhofstraße Mühlenweg Kaiallee"),
        _words("Anke Jürgen Sabine Thomas Katharina Björn Martina Uwe Leonie Matthias Ayşe Stefan"),
        _words("Müller Schröder Köhler Weiß Jansen Großmann Yılmaz Brandt Krüger Öztürk Lindner Vogt"),
    ),
    Country(
        "NO", "25.00", "DNBANOKK", ("AS", "ASA"), "{name} {number}", "+47 ## ## ## ##",
        {"Bergen": "50##", "Oslo": "01##", "Stavanger": "40##", "Tromsø": "90##", "Ålesund": "60##", "Halden": "17##"},
        _words("Strandgaten Kaiveien Industrigata Sjøgata Verftsgata Havnegata Fabrikkveien"),
        _words("Ingrid Lars Solveig Bjørn Marit Øyvind Astrid Håkon Siri Kjell"),
        _words("Solberg Haugen Dahl Bakke Strøm Lie Nygård Ødegård Moen Berg"),
    ),
    Country(
        "SE", "25.00", "HANDSESS", ("AB",), "{name} {number}", "+46 ##-### ## ##",
        {"Göteborg": "41# ##", "Malmö": "21# ##", "Västerås": "72# ##", "Luleå": "97# ##", "Norrköping": "60# ##"},
        _words("Hamngatan Verkstadsgatan Järnvägsgatan Fabriksgatan Skeppsbron Smedjegatan"),
        _words("Åsa Erik Karin Göran Linnéa Anders Malin Sven Elin Johan"),
        _words("Lindqvist Bergström Åkesson Nyström Sjöberg Hedlund Wallin Öberg Holm"),
    ),
    Country(
        "DK", "25.00", "DABADKKK", ("A/S", "ApS"), "{name} {number}", "+45 ## ## ## ##",
        {"Aarhus": "80##", "Odense": "50##", "Esbjerg": "67##", "Aalborg": "90##", "København": "21##"},
        _words("Havnegade Fabriksvej Industrivej Jernbanegade Værftsvej Smedevej"),
        _words("Mette Søren Birgitte Niels Pernille Jørgen Kirsten Mikkel"),
        _words("Sørensen Kjær Mortensen Østergaard Holst Bech Thygesen Lund"),
    ),
    Country(
        "NL", "21.00", "INGBNL2A", ("B.V.", "N.V.", "V.O.F."), "{name} {number}", "+31 ## ### ####",
        {"Rotterdam": "30## KL", "Eindhoven": "56## BX", "Groningen": "97## AR", "Vlissingen": "43## GH",
         "Utrecht": "35## CT"},
        _words("Havenweg Scheepmakerskade Industrieweg Ambachtsstraat Marconistraat Sluisdijk"),
        _words("Femke Jeroen Marloes Bram Anouk Thijs Saskia Ruben"),
        _words("de_Vries van_den_Berg Bakker Visser Meijer van_Dijk Hoekstra Dijkstra"),
    ),
    Country(
        "FR", "20.00", "BNPAFRPP", ("SARL", "SAS", "SA"), "{number} {name}", "+33 # ## ## ## ##",
        {"Lyon": "690##", "Nantes": "440##", "Saint-Étienne": "420##", "Lille": "590##", "Le Havre": "766##"},
        _words("rue_de_l'Usine quai_des_Forges avenue_Gustave-Eiffel rue_du_Port rue_des_Tanneurs boulevard_Carnot"),
        _words("Hélène François Amélie Jérôme Chloé Benoît Inès Zoé Rémi"),
        _words("Lefèvre Moreau Garçon Bérard Chevalier Dubois Étienne Rousseau"),
    ),
    Country(
        "ES", "21.00", "CAIXESBB", ("S.L.", "S.A."), "{name}, {number}", "+34 9## ## ## ##",
        {"Bilbao": "480##", "Zaragoza": "500##", "A Coruña": "150##", "València": "460##", "Gijón": "332##"},
        _words("Calle_del_Puerto Avenida_de_la_Industria Calle_de_la_Ría Camino_de_la_Cantera Calle_Herrería"),
        _words("Begoña Íñigo Lucía Joaquín Marta Andrés Nuria Álvaro"),
        _words("Ibáñez Núñez Etxeberria Peña Ordóñez Castro Vázquez Ruiz"),
    ),
    Country(
        "IT", "22.00", "UNCRITMM", ("S.r.l.", "S.p.A.", "S.n.c."), "{name}, {number}", "+39 0## ### ####",
        {"Torino": "101##", "Brescia": "251##", "Genova": "161##", "Trieste": "341##", "Bologna": "401##"},
        _words("Via_delle_Officine Via_del_Porto Corso_Industria Via_Galvani Via_Fonderia"),
        _words("Giulia Niccolò Chiara Matteo Francesca Andrea Elisa Davide"),
        _words("Rossi Bianchi Ferraro D'Angelo Conti Marchetti Galli Fabbri"),
    ),
    Country(
        "PL", "23.00", "BREXPLPW", ("Sp. z o.o.", "S.A."), "ul. {name} {number}", "+48 ## ### ## ##",
        {"Gdańsk": "80-###", "Łódź": "90-###", "Wrocław": "50-###", "Kraków": "30-###", "Szczecin": "70-###"},
        _words("Stoczniowa Przemysłowa Portowa Kolejowa Hutnicza Fabryczna"),
        _words("Agnieszka Paweł Małgorzata Łukasz Zofia Michał Grażyna Wojciech"),
        _words("Wiśniewska Kowalczyk Dąbrowski Zieliński Wójcik Szymański Król"),
    ),
    Country(
        "GB", "20.00", "BARCGB22", ("Ltd", "plc", "& Sons Ltd"), "{number} {name}", "+44 1### ######",
        {"Hull": "HU1 #RT", "Sheffield": "S3 #BN", "Aberdeen": "AB11 #DP", "Bristol": "BS2 #LE", "Belfast": "BT3 #HW"},
        _words("Dock_Road Foundry_Lane Victoria_Street Mill_Lane Canal_Wharf Station_Approach"),
        _words("Fiona Alasdair Priya Graham Siobhán Owen Harriet Callum"),
        _words("Whitaker MacLeod Patel Thornton O'Neill Llewellyn Hargreaves Okafor"),
    ),
    Country(
        "CZ", "21.00", "KOMBCZPP", ("s.r.o.", "a.s."), "{name} {number}", "+420 ### ### ###",
        {"Brno": "602 ##", "Plzeň": "301 ##", "Ostrava": "702 ##", "Děčín": "405 ##"},
        _words("Průmyslová Nádražní Přístavní Slévárenská Tovární"),
        _words("Tereza Jiří Kateřina Ondřej Lenka Tomáš"),
        _words("Novák Dvořáková Černý Procházka Říha Horák"),
    ),
)  # fmt: skip

FANTASY = _words(
    "Nordlys Albatros Hansa Merkur Polaris Vulkan Fjord Kormoran Titan Delta Orion Condor Baltic Aurora Neptun Atlas "
    "Falke Sirius Boreas Castor Lynx Granit Viking Meridian Helios Kompas Ankor Zenit Triton Argo Pegas Omega"
)
BRANCHES = _words(
    "Marine Maskin Hydraulik Werft Technik Pumpen Metal Mekanik Tools Energi Logistik Stål Offshore Industri "
    "Automation Fasteners Kranbau Elektro Systems Process Antriebe Papier Foods Rail"
)
ROLES = ("Purchasing", "Maintenance", "Workshop", "Works manager", "Accounts payable", "Engineering", "Owner")
DEPARTMENTS = ("Accounts", "Purchasing", "Goods inwards", "Maintenance", "Technical office")
AUTHORS = ("m.dahl", "k.lindqvist", "j.brandt", "a.whitaker", "s.kjaer")
NOTES = (
    "Wants to be called before deliveries.",
    "Goods inwards closes at 14:00 on Fridays.",
    "Asked for a frame contract on bearings.",
    "Pays late in summer, always pays.",
    "Complained about the packaging of the last delivery; apologised.",
    "Moves to a new hall next year.",
    "Needs material certificates (3.1) with every steel delivery.",
    "Compares our seal prices with two others each quarter.",
    "New head of purchasing, visit planned.",
)
